package io.ambo.cluster.cli;

/** What the process ends with; the same for every command. */
final class ExitCode {
    static final int OK = 0;
    /** The answer is no, or problems were found. */
    static final int NEGATIVE = 1;
    static final int USAGE = 2;
    /** No node could be asked. */
    static final int UNREACHABLE = 3;
    /** A peer did not answer: what is shown is not all. */
    static final int PARTIAL = 4;

    private ExitCode() {}
}
