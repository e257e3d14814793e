package io.ambo.cluster.replication;

import java.io.IOException;

/** A message that is not what its sender should have sent. Nothing of it is used. Cheap to make: a stack trace would only show this package. */
public final class MalformedMessage extends IOException {
    private final boolean otherVersion;

    MalformedMessage(String why, boolean otherVersion) {
        super(why);
        this.otherVersion = otherVersion;
    }

    static MalformedMessage because(String why) { return new MalformedMessage(why, false); }

    /** True when it speaks another version of the protocol, so that nothing more can be said of it. */
    public boolean otherVersion() {
        return otherVersion;
    }

    @Override
    public synchronized Throwable fillInStackTrace() { return this; }
}
