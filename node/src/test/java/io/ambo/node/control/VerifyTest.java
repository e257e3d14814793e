package io.ambo.node.control;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.cli.AmboCli;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code ambo verify} against two nodes, over a real socket. */
@Timeout(60)
class VerifyTest {
    private record Result(int exitCode, String out, String err) {}

    @TempDir
    Path directory;
    private final FakeTarget a = new FakeTarget("a");
    private final FakeTarget b = new FakeTarget("b", "a");
    private final List<AutoCloseable> open = new ArrayList<>();
    private boolean silent;

    @BeforeEach
    void start() {
        LocalAnswers answersOfB = new LocalAnswers(b);
        PeerQuery peers = new PeerQuery() {
            @Override
            public List<String> peers() { return List.of("b"); }

            @Override
            public CompletableFuture<byte[]> ask(String peer, byte[] request, Duration timeout) {
                return silent ? new CompletableFuture<>() : CompletableFuture.completedFuture(answersOfB.answer(request));
            }
        };
        ControlServer server = new ControlServer(new ControlServer.Settings(directory.resolve("s"), ""), new LocalAnswers(a), peers);
        open.add(server);
        server.start();
        for (int port = 1000; port < 3000; port++) {
            a.withTcp(port);
            b.withTcp(port);
        }
    }

    @AfterEach
    void stop() throws Exception { for (AutoCloseable each : open) each.close(); }

    @Test
    void equalTablesAreSaidToBeEqual() {
        Result result = verify();
        assertThat(result.out).isEqualTo("equal: 2000 sessions on a and b\n");
        assertThat(result.err).isEmpty();
        assertThat(result.exitCode).isEqualTo(0);
    }

    @Test
    void eachDifferenceIsNamedWithItsNodesAndFields() {
        a.withTcp(500);
        b.withTcp(501);
        a.withTcp(502);
        b.with(6, "10.0.0.7", 502, "203.0.113.10", 443, TcpHalf.ESTABLISHED, SessionRecord.CLOSED);
        a.withTcp(503);
        b.with(6, "10.0.0.7", 503, "203.0.113.10", 443, TcpHalf.SYN, SessionRecord.MID_STREAM);
        Result result = verify();
        assertThat(result.out.lines().sorted()).containsExactly("4 differences in 2003 sessions on a and b",
                "SESSION                            DIFFERENCE",
                "tcp 10.0.0.7:500 203.0.113.10:443  missing on b", "tcp 10.0.0.7:501 203.0.113.10:443  missing on a",
                "tcp 10.0.0.7:502 203.0.113.10:443  missing on b (closed there)",
                "tcp 10.0.0.7:503 203.0.113.10:443  state established on a and opening on b; original established on a and syn on b;"
                        + " reply established on a and syn on b; mid-stream no on a and yes on b");
        assertThat(result.exitCode).isEqualTo(1);
        assertThat(verify("--json").out).contains("\"equal\": false", "\"differences\": 4", "\"missing_on\": [\"a\"]", "\"mid-stream\": {");
    }

    @Test
    void whatOnlyMovesIsNoDifference() throws InterruptedException {
        a.withTcp(500);
        Thread late = Thread.ofVirtual().start(() -> {
            try {
                Thread.sleep(150);
            } catch (InterruptedException e) {
                return;
            }
            b.withTcp(500);
        });
        assertThat(verify("--settle", "400").out).isEqualTo("equal: 2001 sessions on a and b\n");
        late.join();
    }

    @Test
    void repairSendsTheBucketsAndLooksAgain() {
        a.withTcp(500);
        a.onResend = buckets -> b.withTcp(500);
        Result result = verify("--repair");
        assertThat(result.out).contains("1 difference in").endsWith("repaired: all are equal now\n");
        assertThat(result.exitCode).isEqualTo(0);
    }

    @Test
    void aRepairThatDoesNotHelpIsSaidSo() {
        a.withTcp(500);
        Result result = verify("--repair");
        assertThat(result.out).contains("1 still differ: run ambo status");
        assertThat(result.exitCode).isEqualTo(1);
    }

    @Test
    void aSilentPeerIsNamed() {
        silent = true;
        Result result = verify("--timeout", "50");
        assertThat(result.err).contains("ambo: b did not answer within 50 ms");
        assertThat(result.exitCode).isEqualTo(4);
    }

    private Result verify(String... more) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> args = new ArrayList<>(List.of("verify", "--quiet"));
        if (!List.of(more).contains("--settle")) args.addAll(List.of("--settle", "20"));
        args.addAll(List.of(more));
        int exitCode = AmboCli.run(args, Map.of("AMBO_SOCKET", directory.resolve("s").toString(), "COLUMNS", "200"), new PrintWriter(out),
                new PrintWriter(err));
        return new Result(exitCode, out.toString(), err.toString());
    }
}
