"""Every error the storage layer raises.

OtifError                 base of all errors that a user can mend; message says what, where, next step
├── ConfigError           a setting is missing or malformed
├── StorageError          the database or a publication cannot be used
│   ├── StorageBusyError  another process is writing
│   └── NotPublishedError nothing has been published yet
└── LedgerError           a decision cannot be recorded as asked
"""

from __future__ import annotations


class OtifError(Exception):
    """Base of errors whose message is fit to be shown to a user as it is."""


class ConfigError(OtifError):
    """A setting is missing or malformed."""


class StorageError(OtifError):
    """The database or a publication cannot be used."""


class StorageBusyError(StorageError):
    """Another process holds the writer lock."""


class NotPublishedError(StorageError):
    """There is no publication to read yet."""


class LedgerError(OtifError):
    """A decision cannot be recorded as asked."""
