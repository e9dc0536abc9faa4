"""The errors of Frontdesk, drawn as a tree.

FrontdeskError                     every error raised on purpose
├── InputError                     a file, option or message that a person gave is wrong   (exit code 2)
│   ├── HeldError                  another agent holds the conversation
│   └── EditedError                an FAQ entry has another version than the editor saw
├── ReleaseError                   a release is missing, damaged or refused                (exit code 2)
├── SettingsError                  a setting is missing or wrong                           (exit code 2)
└── UnavailableError               a service Frontdesk leans on is away; it may come back
    ├── StateUnavailableError      Redis
    │   └── BusyError              another turn of the conversation still runs
    ├── LogUnavailableError        SQL
    └── DeliveryError              a channel did not take a reply

FaqError                           FAQ files and indexes; a root of its own, as `retrieval` stands alone (exit code 2)
"""

from __future__ import annotations

from nlu.types import FrontdeskError, InputError, ReleaseError
from retrieval.types import FaqError


class HeldError(InputError):
    """Another agent holds the conversation.

    Args:
        message: what went wrong and what to do.
        holder: that agent's name.
    """

    def __init__(self, message: str, *, holder: str) -> None:
        super().__init__(message)
        self.holder = holder


class EditedError(InputError):
    """An FAQ entry has another version than the editor saw; says which, so that nothing is overwritten unseen."""


class SettingsError(FrontdeskError):
    """A setting is missing or wrong; says which variable and what it should be."""


class UnavailableError(FrontdeskError):
    """A service Frontdesk leans on is away; says which, and how to bring it back."""


class StateUnavailableError(UnavailableError):
    """Redis does not answer."""


class BusyError(StateUnavailableError):
    """Another turn of the conversation still runs, or a process died in one."""


class LogUnavailableError(UnavailableError):
    """The SQL database does not answer."""


class DeliveryError(UnavailableError):
    """A channel did not take a reply.

    Args:
        message: what went wrong and what to do.
        retry_after: seconds to wait before the next try, or None where the channel named none.
        permanent: True where no later try can succeed (the customer blocked the bot).
    """

    def __init__(self, message: str, *, retry_after: float | None = None, permanent: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.permanent = permanent


__all__ = [
    "BusyError",
    "DeliveryError",
    "FaqError",
    "FrontdeskError",
    "HeldError",
    "InputError",
    "LogUnavailableError",
    "ReleaseError",
    "SettingsError",
    "StateUnavailableError",
    "UnavailableError",
]
