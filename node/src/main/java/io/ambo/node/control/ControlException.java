package io.ambo.node.control;

/** The control socket could not be set up. The message says what, where, why and what to do. */
public final class ControlException extends RuntimeException {
    private static final long serialVersionUID = 1;

    ControlException(String what, String remedy) { super(what + "; " + remedy); }

    ControlException(String what, String remedy, Throwable cause) { super(what + "; " + remedy, cause); }
}
