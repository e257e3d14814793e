package io.ambo.hatests.capture;

/** A capture file that cannot be read: where, why, and what to do. */
public final class CaptureException extends Exception {
    private static final long serialVersionUID = 1;

    CaptureException(String file, long offset, String what, String remedy) {
        super(file + ": offset " + offset + ": " + what + (remedy.isEmpty() ? "" : "; " + remedy));
    }
}
