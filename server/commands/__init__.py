"""The commands of `porchlight`, one a module, registered in `server.command`."""
