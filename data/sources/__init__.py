"""What can be imported: one publisher or source a file, and all of them in `data.sources.registry`."""
