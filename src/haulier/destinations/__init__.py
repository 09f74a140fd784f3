"""What addresses and keys of channels look like: webhooks, mail, push and apprise. Pure."""
