"""Following jobs live: server-sent events, the WebSocket and its tickets, and the document that describes them."""
