package io.ambo.node.config;

import java.util.List;
import java.util.stream.Collectors;

/** What came of reading a configuration: all of it, or everything that is wrong with it. */
public sealed interface Loaded {
    record Accepted(Config config) implements Loaded {}

    /** @param problems at least one, in the order of the file */
    record Refused(List<Problem> problems) implements Loaded {
        public Refused {
            problems = List.copyOf(problems);
        }

        /** All problems, one a line, and their number: what the operator reads. */
        public String report() {
            return problems.stream().map(problem -> problem + "\n").collect(Collectors.joining()) + problems.size()
                    + (problems.size() == 1 ? " problem" : " problems") + ", nothing was changed";
        }
    }
}
