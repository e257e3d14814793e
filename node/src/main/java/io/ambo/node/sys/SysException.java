package io.ambo.node.sys;

/** A system call failed. The message says what was tried, where, why it failed and what to do next. */
public final class SysException extends RuntimeException {
    private final int errno;

    public SysException(String operation, int errno, String where, String remedy) {
        super(operation + (where.isEmpty() ? "" : " (" + where + ")") + ": " + Errno.text(errno) + (remedy.isEmpty() ? "" : "; " + remedy));
        this.errno = errno;
    }

    /** The errno of the call, positive. */
    public int errno() { return errno; }
}
