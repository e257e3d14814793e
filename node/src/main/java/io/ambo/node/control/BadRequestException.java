package io.ambo.node.control;

/** The request cannot be answered as it stands. The message is for whoever wrote the client. */
final class BadRequestException extends Exception {
    private static final long serialVersionUID = 1;

    BadRequestException(String message) { super(message); }
}
