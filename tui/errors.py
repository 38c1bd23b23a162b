"""The few exceptions of bpfscope; each message says what happened and what to do about it.

BpfscopeError            exit status 1   the work failed
├── TargetError                          no such process, several of that name, it ended
├── BinaryError                          a file that is not an ELF file we can read
├── CompileError                         C that bcc refuses, or no bcc
├── UsageError           exit status 2   a wrong command line
├── NotPermitted         exit status 3   a capability is missing
└── NotSupported         exit status 3   this kernel cannot do it
"""


class BpfscopeError(Exception):
    """What a person reads instead of a traceback; the text is one sentence with the remedy."""

    exit_status = 1


class TargetError(BpfscopeError):
    """The target doesn't exist, is ambiguous, or ended."""


class BinaryError(BpfscopeError):
    """The file cannot be read as a 64-bit ELF file of this machine."""


class CompileError(BpfscopeError):
    """A BPF C program could not be compiled here."""


class UsageError(BpfscopeError):
    """The command line asks for something that makes no sense."""

    exit_status = 2


class NotPermitted(BpfscopeError):
    """The kernel said EPERM or EACCES; the text names the capability."""

    exit_status = 3


class NotSupported(BpfscopeError):
    """The kernel lacks a feature; the text names the version that brought it."""

    exit_status = 3
