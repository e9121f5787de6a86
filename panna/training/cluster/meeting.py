"""How the processes of a cluster find each other, and notice that one has gone.

TensorFlow waits silently for names that do not exist and for machines that are off; here a plain
connection to every port says within the time-out what is wrong.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from panna.errors import TrainingError
from panna.text import listed
from panna.training.cluster.roles import Cluster, host_of, port_of

RESTART = "Start all processes again: the training continues from its last checkpoint"
PAUSE = 0.5  # seconds between two attempts
ATTEMPT = 2.0  # seconds that one may take
BETWEEN = 2.0  # seconds between two looks at a process
FAILURES = 5  # attempts in vain after which it counts as gone


def reachable(address: str) -> bool:
    """Whether something listens there.

    Raises:
      socket.gaierror: there is no machine of that name.
    """
    try:
        socket.create_connection((host_of(address), port_of(address)), ATTEMPT).close()
    except socket.gaierror:
        raise
    except OSError:
        return False
    return True


@contextmanager
def at_the_door(cluster: Cluster) -> Iterator[None]:
    """Holds the port of this process open, so that others see it before TensorFlow listens there.

    Raises:
      TrainingError: the port is in use.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("", port_of(cluster.address)))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise TrainingError(
                f"{cluster.own_name}: port {port_of(cluster.address)} of this machine "
                f"is taken ({error.strerror}); end what uses it, perhaps an earlier training, or "
                "give [CLUSTER] another port"
            ) from error
        door.listen(128)
        answering = threading.Thread(target=_answer, args=(door,), daemon=True)
        answering.start()
        try:
            yield
        finally:
            with suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)  # wakes the thread
            answering.join()


def _answer(door: socket.socket) -> None:
    with suppress(OSError):
        while True:
            door.accept()[0].close()


def wait_for(cluster: Cluster, addresses: Sequence[str]) -> None:
    """Returns when all of these processes are there.

    Raises:
      TrainingError: some are not after the time-out, or a machine is unknown; names them.
    """
    end = time.monotonic() + cluster.timeout
    missing = list(addresses)
    while True:
        for address in list(missing):
            try:
                if reachable(address):
                    missing.remove(address)
            except socket.gaierror as error:
                raise TrainingError(
                    f"{host_of(address)}: no machine of this name ({error.strerror}); correct the "
                    "list of nodes"
                ) from error
        if not missing:
            return
        if time.monotonic() > end:
            names = listed([cluster.name(one) for one in missing])
            raise TrainingError(
                f"{names}: no answer within {cluster.timeout:g} s. Is the program running there, "
                "and is the port open between the machines? Start it with the same configuration "
                "on every node, or correct the list of nodes; [CLUSTER] start_timeout makes the "
                "wait longer"
            )
        time.sleep(PAUSE)


class Watch:
    """Notices in the background which of some processes have gone.

    Args:
      changed: told of an address and whether something answers there, whenever that changes.
    """

    def __init__(
        self, addresses: Sequence[str], changed: Callable[[str, bool], None] = lambda *_: None
    ) -> None:
        self._failures = dict.fromkeys(addresses, 0)
        self._changed = changed
        self._ended = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    @property
    def gone(self) -> list[str]:
        """Those that have not answered FAILURES times in a row.

        Counted, not timed: this process may have been suspended.
        """
        return [address for address, count in self._failures.items() if count >= FAILURES]

    def close(self) -> None:
        self._ended.set()

    def _look(self) -> None:
        while not self._ended.wait(BETWEEN):
            for address in self._failures:
                found = False
                with suppress(OSError):
                    found = reachable(address)
                before = self._failures[address]
                self._failures[address] = 0 if found else before + 1
                if (before == 0) != found:
                    self._changed(address, found)
