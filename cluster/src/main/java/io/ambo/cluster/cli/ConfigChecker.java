package io.ambo.cluster.cli;

import java.nio.file.Path;
import java.util.List;

/**
 * Checks a config file without a running node. The node module provides it (META-INF/services), since only the node knows the format.
 */
public interface ConfigChecker {
    /**
     * What came of a check.
     *
     * @param problems one line each, in the order of the file; empty: the file is good
     * @param summary  what a good file says, in one line; empty for a bad one
     */
    record Report(List<String> problems, String summary) {
        public Report {
            problems = List.copyOf(problems);
        }
    }

    /**
     * Reads and checks the file; never throws for what is in it.
     *
     * @param file    as the operator named it
     * @param askHost false when the file is for another host than this one: interfaces, addresses and the key file are not looked for
     */
    Report check(Path file, boolean askHost);
}
