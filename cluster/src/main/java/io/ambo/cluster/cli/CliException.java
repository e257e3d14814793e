package io.ambo.cluster.cli;

/** The command cannot go on. Printed as one line on stderr, with what to do about it. */
final class CliException extends RuntimeException {
    private static final long serialVersionUID = 1;
    private final int exitCode;

    CliException(int exitCode, String message, String remedy) {
        super(remedy.isEmpty() ? message : message + " (" + remedy + ")");
        this.exitCode = exitCode;
    }

    int exitCode() { return exitCode; }
}
