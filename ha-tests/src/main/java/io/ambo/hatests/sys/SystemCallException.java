package io.ambo.hatests.sys;

import io.ambo.node.sys.Errno;

/** A system call of the proof failed. */
public final class SystemCallException extends RuntimeException {
    private static final long serialVersionUID = 1;

    SystemCallException(String call, String where, int errno) { super(call + " (" + where + "): " + Errno.text(errno)); }
}
