package io.ambo.cluster.cli;

import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;
import io.ambo.proto.control.Scope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A command that asks a node. Its answer goes to stdout, everything that is wrong to stderr. */
abstract class NodeCommand implements Callable<Integer> {
    static final String EXIT_CODES = "%nExit code: 0 yes, done; 1 no, or problems found; 2 wrong usage; 3 no node could be asked; 4 some peer did not answer.";
    /** What the node may need beside the time it gives its peers. */
    private static final int NODE_TIMEOUT_MS = 30_000;

    @Spec
    CommandSpec spec;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Option(names = "--socket", paramLabel = "PATH", description = "The node's control socket. Default: $AMBO_SOCKET, then /run/ambo/control.sock, then"
            + " /var/lib/ambo/control.sock.")
    @Nullable
    Path socket;

    @Option(names = "--timeout", paramLabel = "MS", defaultValue = "2000", description = "How long to wait for peers, in milliseconds. Default: 2000.")
    int timeoutMs;

    @Option(names = "--local", description = "Ask this node only, not its peers.")
    boolean localOnly;

    AmboCli cli() { return (AmboCli) spec.root().userObject(); }

    ControlClient connect() { return ControlClient.connect(socket != null ? List.of(socket) : cli().sockets()); }

    Request.Builder request() {
        if (timeoutMs < 1 || timeoutMs > 30_000)
            throw new CliException(ExitCode.USAGE, "--timeout " + timeoutMs + " is not within 1 to 30000 ms", "");
        return Request.newBuilder().setPeerTimeoutMs(timeoutMs).setScope(localOnly ? Scope.LOCAL : Scope.CLUSTER);
    }

    /** The response, when it is no error. */
    Response ask(ControlClient client, Request.Builder request) {
        Response response = client.ask(request, timeoutMs + NODE_TIMEOUT_MS);
        if (response.hasError()) {
            throw new CliException(ExitCode.NEGATIVE, "the node refused: " + response.getError().getMessage(),
                    response.getError().getRemedy());
        }
        return response;
    }

    /** Asks once and closes. */
    Response ask(Request.Builder request) {
        try (ControlClient client = connect()) {
            return ask(client, request);
        }
    }

    /**
     * Says which nodes gave no answer.
     *
     * @return how many
     */
    int reportFailures(List<NodeAnswer> answers) {
        List<NodeAnswer> failed = answers.stream().filter(NodeAnswer::hasError).toList();
        failed.forEach(answer -> problem(Text.failure(answer)));
        return failed.size();
    }

    /** For JSON: the nodes that gave no answer, and why. */
    static List<Map<String, @Nullable Object>> failuresJson(List<NodeAnswer> answers) {
        List<Map<String, @Nullable Object>> failures = new ArrayList<>();
        for (NodeAnswer answer : answers) {
            if (answer.hasError())
                failures.add(Json.object("node", answer.getNode(), "message", answer.getError().getMessage(), "remedy",
                        answer.getError().getRemedy()));
        }
        return failures;
    }

    void print(String text) { cli().out().print(text); }

    void println(String text) { cli().out().println(text); }

    void problem(String text) {
        cli().out().flush();
        cli().err().println("ambo: " + text);
    }
}
