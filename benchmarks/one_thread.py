"""One thread and one processor for every engine, so that the same is compared."""

from __future__ import annotations

import os


def take() -> None:
    """To be called before NumPy or an engine is imported: they read these variables then.

    XLA takes as many threads as the process has processors, whatever its flags say, so it is given one.
    """
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings
    if hasattr(os, "sched_setaffinity"):  # Linux
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
