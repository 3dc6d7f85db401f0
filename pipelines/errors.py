"""Every error the pipelines raise.

OtifError
└── PipelineError
    ├── SourceError        a file cannot be read as any known source
    ├── MappingError       a mapping file is wrong (what, where, expected)
    ├── BatchStoppedError  the expectation suite failed and the workspace says stop
    ├── PullError          a feed is set up wrongly, or its server refuses or does not answer
    ├── TransformError     dbt failed; nothing was published
    └── OutboundError      a rule push or a mail could not be delivered
"""

from __future__ import annotations

from storage.errors import OtifError


class PipelineError(OtifError):
    """Base of the pipelines' errors."""


class SourceError(PipelineError):
    """A file cannot be read as any known source."""


class MappingError(PipelineError):
    """A mapping file is wrong."""


class BatchStoppedError(PipelineError):
    """The expectation suite failed and the workspace says stop."""


class PullError(PipelineError):
    """A feed is set up wrongly, or its server refuses or does not answer."""


class TransformError(PipelineError):
    """The dbt build failed; nothing was published."""


class OutboundError(PipelineError):
    """Something could not be delivered to the outside."""
