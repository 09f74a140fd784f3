"""Free TCP ports on this machine."""

import errno
import random
import socket
from collections.abc import Collection

# Below what systems lend to outgoing connections (Linux: ip_local_port_range, from 32768): a port from there can be
# gone between our looking and a server's listening.
_QUIET = range(20_000, 32_768)
_DRAWS = 100
_random = random.SystemRandom()  # programs that seed `random` alike must not all draw the same port


def is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now. Raises OSError when `host` is not an address of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections of a predecessor that still linger are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except PermissionError:
            return False
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_port(*, preferred: int = 0, taken: Collection[int] = ()) -> int:
    """`preferred` when it is free on 127.0.0.1, any free port otherwise, but none of `taken`.

    Another server may take it before we do.
    """
    for port in (preferred, *_random.sample(_QUIET, _DRAWS)):
        if port and port not in taken and is_free(port):
            return port
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port
