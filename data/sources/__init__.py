"""What can be imported: one publisher or source a file."""
