"""The system calls that a render needs not, as a filter for the kernel (seccomp).

A tool may read, write what is open, compute and start threads. It may not open a socket, start a program or a child,
touch other processes, change the rights of files, or ask the kernel for anything of the machine. What is newer than
this table does not exist for it. By their first argument: ``kill`` and ``tgkill`` reach only itself, ``clone`` makes
only threads, and where a network is allowed ``socket`` makes only those of IPv4 and IPv6.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

# The launcher puts its own process id in place of this one; real ones end at 4,194,304.
OWN_PID = 0x7FFF_F1D5

# name, its number on x86_64, its number on aarch64 (- = it has none)
_REFUSED = """
    socket 41 198              socketpair 53 199          io_uring_setup 425 425
    fork 57 -                  vfork 58 -                 execveat 322 281
    memfd_create 319 279       memfd_secret 447 447       setsid 112 157             setpgid 109 154
    ptrace 101 117             process_vm_readv 310 270   process_vm_writev 311 271  process_madvise 440 440
    process_mrelease 448 448   pidfd_open 434 434         pidfd_getfd 438 438        pidfd_send_signal 424 424
    kcmp 312 272               tkill 200 130              rt_sigqueueinfo 129 138    rt_tgsigqueueinfo 297 240
    setpriority 141 140        ioprio_set 251 30          sched_setaffinity 203 122  sched_setscheduler 144 119
    sched_setparam 142 118     sched_setattr 314 274      migrate_pages 256 238      move_pages 279 239
    chmod 90 -                 fchmod 91 52               fchmodat 268 53            chown 92 -
    lchown 94 -                fchown 93 55               fchownat 260 54            truncate 76 45
    setxattr 188 5             lsetxattr 189 6            fsetxattr 190 7            removexattr 197 14
    lremovexattr 198 15        fremovexattr 199 16        utime 132 -                utimes 235 -
    utimensat 280 88           futimesat 261 -            mkdir 83 -                 mkdirat 258 34
    mknod 133 -                mknodat 259 33             symlink 88 -               symlinkat 266 36
    link 86 -                  linkat 265 37              chroot 161 51              fanotify_init 300 262
    name_to_handle_at 303 264  open_by_handle_at 304 265
    mount 165 40               umount2 166 39             pivot_root 155 41          move_mount 429 429
    open_tree 428 428          fsopen 430 430             fsconfig 431 431           fsmount 432 432
    fspick 433 433             mount_setattr 442 442      unshare 272 97             setns 308 268
    bpf 321 280                perf_event_open 298 241    userfaultfd 323 282        keyctl 250 219
    add_key 248 217            request_key 249 218        kexec_load 246 104         kexec_file_load 320 294
    init_module 175 105        finit_module 313 273       delete_module 176 106      reboot 169 142
    swapon 167 224             swapoff 168 225            acct 163 89                quotactl 179 60
    quotactl_fd 443 443        syslog 103 116             settimeofday 164 170       clock_settime 227 112
    clock_adjtime 305 266      adjtimex 159 171           sethostname 170 161        setdomainname 171 162
    iopl 172 -                 ioperm 173 -               modify_ldt 154 -           personality 135 92
    vhangup 153 58             shmget 29 194              shmat 30 196               msgget 68 186
    semget 64 190              mq_open 240 180
"""


@dataclass(frozen=True, slots=True)
class _Machine:
    """What differs: the name the kernel gives the calling convention, and the numbers of the calls looked into."""

    audit: int
    column: int
    socket: int
    clone: int
    kill: int
    tgkill: int
    prlimit64: int


_MACHINES = {
    "x86_64": _Machine(audit=0xC000_003E, column=1, socket=41, clone=56, kill=62, tgkill=234, prlimit64=302),
    "aarch64": _Machine(audit=0xC000_00B7, column=2, socket=198, clone=220, kill=129, tgkill=131, prlimit64=261),
}

_CLONE3 = 435
_NEWEST = 450
_CLONE_THREAD = 0x0001_0000
_INTERNET = (2, 10)

_LOAD, _IF_EQUAL, _IF_ABOVE, _IF_BITS, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_NUMBER, _AUDIT, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _END = 0x7FFF_0000, 0x8000_0000
_NOT_PERMITTED, _NO_SUCH_CALL = 0x0005_0000 | errno.EPERM, 0x0005_0000 | errno.ENOSYS

_Step = tuple[int, int, int, int]


def refused_numbers(machine: str) -> dict[str, int]:
    """Return the calls refused whatever their arguments, with their numbers on this machine."""
    words = _REFUSED.split()
    column = _MACHINES[machine].column
    rows = (words[at : at + 3] for at in range(0, len(words), 3))
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def filter_program(machine: str = "", *, network: bool = False) -> bytes:
    """Return the filter for this machine, as the kernel reads it; empty = we have no table for it."""
    machine = machine or platform.machine()
    if machine not in _MACHINES:
        return b""
    return b"".join(struct.pack("=HBBI", *step) for step in _steps(machine, network=network))


def _steps(machine: str, *, network: bool) -> list[_Step]:
    numbers = _MACHINES[machine]
    steps = [
        *_unless_equal(numbers.audit, _AUDIT, _END),
        (_LOAD, 0, 0, _NUMBER),
        *_where_above(_NEWEST, _NO_SUCH_CALL),
        *_where_equal(_CLONE3, _NO_SUCH_CALL),
        *_where_argument(numbers.clone, (_IF_BITS, _CLONE_THREAD)),
        *_where_argument(numbers.kill, (_IF_EQUAL, OWN_PID)),
        *_where_argument(numbers.tgkill, (_IF_EQUAL, OWN_PID)),
        *_where_argument(numbers.prlimit64, (_IF_EQUAL, 0), (_IF_EQUAL, OWN_PID)),
    ]
    if network:
        steps += _where_argument(numbers.socket, *((_IF_EQUAL, family) for family in _INTERNET))
    for number in refused_numbers(machine).values():
        steps += _where_equal(number, _NOT_PERMITTED)
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _unless_equal(value: int, place: int, answer: int) -> list[_Step]:
    return [(_LOAD, 0, 0, place), (_IF_EQUAL, 1, 0, value), (_RETURN, 0, 0, answer)]


def _where_above(value: int, answer: int) -> list[_Step]:
    return [(_IF_ABOVE, 0, 1, value), (_RETURN, 0, 0, answer)]


def _where_equal(value: int, answer: int) -> list[_Step]:
    return [(_IF_EQUAL, 0, 1, value), (_RETURN, 0, 0, answer)]


def _where_argument(number: int, *allowed: tuple[int, int]) -> list[_Step]:
    """Let this call through only where its first argument passes one of the tests."""
    tests = [step for test, value in allowed for step in ((test, 0, 1, value), (_RETURN, 0, 0, _ALLOW))]
    inside = [(_LOAD, 0, 0, _FIRST_ARGUMENT), *tests, (_RETURN, 0, 0, _NOT_PERMITTED)]
    return [(_IF_EQUAL, 0, len(inside), number), *inside]
