"""The calls of those who follow jobs live, as part of the table of operations."""

from haulier import errors, wire_live
from haulier.api.live import events, handshake
from haulier.api.operation import Header, Operation, Reply

LAST_EVENT_ID = Header("Last-Event-ID", "The id of the last event that you have: nothing older is sent.")

LIVE_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="job_events",
        method="GET",
        path="/v1/download/events/{job_id}",
        handler=events.job_events,
        summary="A job as server-sent events: now, at each change, and its end",
        query=events.EventsQuery,
        headers=(LAST_EVENT_ID,),
        replies={
            200: Reply("Events `status` with the job as data and its version as id.", is_stream=True),
            204: Reply("The client has seen the job's end already."),
        },
        errors=(errors.InvalidRequest, errors.JobNotFound, errors.TooManyStreams, errors.LedgerUnavailable),
    ),
    Operation(
        name="events",
        method="GET",
        path="/v1/download/events",
        handler=events.events,
        summary="All your jobs as server-sent events: those alive, `ready`, then each change of any",
        headers=(LAST_EVENT_ID,),
        replies={200: Reply("Events `status` with a job as data; the id is where to go on from.", is_stream=True)},
        errors=(errors.TooManyStreams, errors.LedgerUnavailable),
    ),
    Operation(
        name="ticket",
        method="POST",
        path="/v1/tickets",
        handler=handshake.ticket,
        summary="A ticket that opens one WebSocket: for browsers, which cannot send a token there",
        replies={200: Reply("Good once, for 30 s: /ws?ticket=…", wire_live.Ticket)},
        errors=(errors.TooManyTickets, errors.EngineUnavailable),
    ),
)
