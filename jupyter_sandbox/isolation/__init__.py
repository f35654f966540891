"""Starting, confining, watching and ending the OS processes of sandboxes. Knows nothing of what runs inside."""
