package io.ambo.cluster.session;

import org.jspecify.annotations.Nullable;

/** The table could not be opened or closed. The message says what was tried, where, why it failed and what to do about it. */
public final class SessionTableException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public SessionTableException(String what, String where, String why, String remedy, @Nullable Throwable cause) {
        super(what + ": " + where + ": " + why + "; " + remedy, cause);
    }
}
