"""Job objects of Windows: processes that are ended together.

Written from the documentation of Windows, and never run.
"""

import sys

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes
    from typing import ClassVar

    _KILL_ON_JOB_CLOSE = 0x2000
    _EXTENDED_LIMIT_INFORMATION = 9

    class _Limits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION, with what it contains in one piece."""

        _fields_: ClassVar = [
            ("per_process_user_time_limit", wintypes.LARGE_INTEGER),
            ("per_job_user_time_limit", wintypes.LARGE_INTEGER),
            ("flags", wintypes.DWORD),
            ("minimum_working_set_size", ctypes.c_size_t),
            ("maximum_working_set_size", ctypes.c_size_t),
            ("active_process_limit", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority_class", wintypes.DWORD),
            ("scheduling_class", wintypes.DWORD),
            ("io_counters", ctypes.c_ulonglong * 6),
            ("process_memory_limit", ctypes.c_size_t),
            ("job_memory_limit", ctypes.c_size_t),
            ("peak_process_memory_used", ctypes.c_size_t),
            ("peak_job_memory_used", ctypes.c_size_t),
        ]

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.CreateJobObjectW.argtypes = [wintypes.LPVOID, wintypes.LPCWSTR]
    _kernel.CreateJobObjectW.restype = wintypes.HANDLE
    _kernel.SetInformationJobObject.argtypes = [
        wintypes.HANDLE,
        ctypes.c_int,
        wintypes.LPVOID,
        wintypes.DWORD,
    ]
    _kernel.AssignProcessToJobObject.argtypes = [wintypes.HANDLE, wintypes.HANDLE]
    _kernel.TerminateJobObject.argtypes = [wintypes.HANDLE, wintypes.UINT]
    _kernel.CloseHandle.argtypes = [wintypes.HANDLE]

    class Job:
        """A job object with one process in it, and with all that this process starts.

        The system ends them when the last handle of the job is closed, which it does itself when
        this process is gone.
        """

        def __init__(self, process: int) -> None:
            """Put the process of the handle `process` into a new job. Raises OSError."""
            self._handle = _checked(_kernel.CreateJobObjectW(None, None))
            limits = _Limits(flags=_KILL_ON_JOB_CLOSE)
            size = ctypes.sizeof(limits)
            try:
                _checked(
                    _kernel.SetInformationJobObject(
                        self._handle, _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), size
                    )
                )
                _checked(_kernel.AssignProcessToJobObject(self._handle, process))
            except OSError:
                _kernel.CloseHandle(self._handle)
                raise

        def terminate(self) -> None:
            """End all that is left in the job."""
            _kernel.TerminateJobObject(self._handle, 1)
            _kernel.CloseHandle(self._handle)

    def _checked(result: int) -> int:
        if not result:
            raise ctypes.WinError(ctypes.get_last_error())
        return result
