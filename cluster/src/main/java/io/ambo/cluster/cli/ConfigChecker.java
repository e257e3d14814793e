package io.ambo.cluster.cli;

import java.nio.file.Path;
import java.util.List;

/**
 * Checks a config file without a running node. The node module provides it (META-INF/services), since only the node knows the format.
 */
public interface ConfigChecker {
    /**
     * @param file     as the operator named it
     * @param problems one line each; empty: the file is good
     * @param summary  what a good file says, in a few lines; empty for a bad one
     */
    record Report(Path file, List<String> problems, List<String> summary) {
        public Report {
            problems = List.copyOf(problems);
            summary = List.copyOf(summary);
        }
    }

    Report check(Path file);
}
