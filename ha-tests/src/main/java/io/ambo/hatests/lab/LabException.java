package io.ambo.hatests.lab;

/** The lab could not be built or used: what was tried, why it failed, what to do. */
public final class LabException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public LabException(String message) { super(message); }

    public LabException(String message, Throwable cause) { super(message, cause); }
}
