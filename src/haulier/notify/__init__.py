"""Telling users of outcomes outside the API: webhooks, e-mail, push and whatever apprise reaches."""
