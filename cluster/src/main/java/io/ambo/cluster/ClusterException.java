package io.ambo.cluster;

import org.jspecify.annotations.Nullable;

/** The cluster could not do what was asked: says what, why and what to do next. */
public final class ClusterException extends Exception {
    public ClusterException(String what, String remedy, @Nullable Throwable cause) {
        super(what + (cause == null ? "" : ": " + cause.getMessage()) + " (" + remedy + ")", cause);
    }
}
