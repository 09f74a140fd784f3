"""What Haulier sends by itself, for the OpenAPI document: the messages of webhooks."""

from typing import Any

from haulier.wire_channels import OutcomeMessage, TrialMessage

MESSAGES = (OutcomeMessage, TrialMessage)
HEADERS = {
    "webhook-id": "The same in all attempts: remember it, since a message can come twice.",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970.",
    "webhook-signature": "v1,… (HMAC-SHA256) or v1a,… (Ed25519) over id.timestamp.body; several apart by spaces.",
}


def webhooks(*, reference: str) -> dict[str, Any]:
    """The `webhooks` of the document; `reference` is the template of a reference to a schema."""
    return {
        name: {
            "post": {
                "summary": summary,
                "parameters": [
                    {
                        "name": header,
                        "in": "header",
                        "required": True,
                        "description": text,
                        "schema": {"type": "string"},
                    }
                    for header, text in HEADERS.items()
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": reference.format(name=shape.__name__)}}},
                },
                "responses": {
                    "2XX": {"description": "It is delivered."},
                    "410": {"description": "Nothing is wanted there any more: the channel is disabled."},
                    "default": {"description": "It is tried again."},
                },
                "security": [],
            }
        }
        for name, summary, shape in (
            ("outcome", "How a job ended", OutcomeMessage),
            ("test", "What POST /v1/channels/{channel_id}/test sends", TrialMessage),
        )
    }
