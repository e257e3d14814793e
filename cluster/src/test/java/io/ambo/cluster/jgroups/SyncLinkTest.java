package io.ambo.cluster.jgroups;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Real processes in network namespaces of their own, joined by a veth pair: UDP multicast as in production. Needs root. */
class SyncLinkTest {
    private static final String KEY = "0123456789abcdef0123456789abcdef";
    private static final String PREFIX = "ambrep" + ProcessHandle.current().pid();

    private final List<Member> members = new ArrayList<>();

    @BeforeEach
    void build() throws Exception {
        Assumptions.assumeTrue("root".equals(System.getProperty("user.name")), "needs root, for network namespaces: sudo ./ambo test");
        for (String side : List.of("a", "b")) {
            run("ip", "netns", "add", PREFIX + side);
            run("ip", "-n", PREFIX + side, "link", "set", "lo", "up");
        }
        run("ip", "link", "add", "sync0", "netns", PREFIX + "a", "type", "veth", "peer", "name", "sync0", "netns", PREFIX + "b");
        for (String side : List.of("a", "b")) {
            run("ip", "-n", PREFIX + side, "address", "add", address(side) + "/24", "dev", "sync0");
            run("ip", "-n", PREFIX + side, "link", "set", "sync0", "up");
        }
    }

    @AfterEach
    void takeDown() throws Exception {
        for (Member member : members) member.process.destroyForcibly().waitFor();
        for (String side : List.of("a", "b")) new ProcessBuilder("ip", "netns", "delete", PREFIX + side).start().waitFor();
    }

    @Test
    void aPairJoinsReplicatesAndNoticesADeath() throws Exception {
        Member a = member("a", KEY);
        a.await("gate open", 30);
        a.tell("put 20000");
        a.await("size 20000", 30);
        Member b = member("b", KEY);
        b.await("gate open in sync with a", 60);
        b.tell("size");
        b.await("size 20000", 10);
        a.tell("latency 1000");
        System.out.println("UDP, two namespaces: " + a.await("there and back", 60));
        a.lines.clear();
        b.process.destroyForcibly();
        long killedNs = System.nanoTime();
        a.await("view [a]", 10);
        System.out.printf("kill -9 of a member seen after %d ms%n", (System.nanoTime() - killedNs) / 1_000_000);
        a.tell("size");
        a.await("size 20000", 10);
    }

    @Test
    void aNodeWithAnotherKeyNeverBecomesAClusterOfItsOwn() throws Exception {
        Member a = member("a", KEY);
        a.await("gate open", 30);
        Member b = member("b", "another key, another key, another");
        b.await("another key", 30);
        Awaitility.await().during(4, TimeUnit.SECONDS).atMost(5, TimeUnit.SECONDS)
                .until(() -> b.lines.stream().noneMatch(line -> line.startsWith("gate open")));
        assertThat(a.lines).noneMatch(line -> line.startsWith("gate closed") && line.contains("another key"));
        a.process.destroyForcibly();
        b.await("gate open", 30);
    }

    @Test
    void whatAStrangerSaysAgainChangesNothing() throws Exception {
        Member a = member("a", KEY);
        a.await("gate open", 30);
        Member b = member("b", KEY);
        b.await("gate open", 30);
        Member stranger = new Member(List.of("b", "replay", address("b"), "20"));
        members.add(stranger);
        stranger.await("listening", 30);
        a.tell("put 3000");
        stranger.await("replayed", 60);
        // What was said is on its way still.
        Awaitility.await().atMost(20, TimeUnit.SECONDS).pollInterval(100, TimeUnit.MILLISECONDS).untilAsserted(() -> {
            assertThat(counter(a, "PACKETS_REPLAYED") + counter(b, "PACKETS_REPLAYED")).as("replayed; %s; %s", a.lines, b.lines)
                    .isPositive();
            assertThat(counter(b, "PACKETS_UNAUTHENTIC")).as("unauthentic; %s; %s", a.lines, b.lines).isPositive();
        });
        assertThat(counter(b, "MESSAGES_MALFORMED")).isZero();
        // The recording may be full before the last session is out.
        Awaitility.await().atMost(20, TimeUnit.SECONDS).pollInterval(200, TimeUnit.MILLISECONDS).until(() -> {
            b.tell("size");
            return b.lines.contains("size 3000");
        });
        assertThat(a.lines).filteredOn(line -> line.startsWith("view")).hasSizeLessThanOrEqualTo(2);
    }

    private static long counter(Member member, String name) throws Exception {
        member.lines.removeIf(line -> line.startsWith("counter"));
        member.tell("counter " + name);
        return Long.parseLong(member.await("counter", 10).split(" ", -1)[1]);
    }

    private Member member(String side, String key) throws IOException {
        Member member = new Member(List.of(side, side, address(side), key));
        members.add(member);
        return member;
    }

    private static String address(String side) { return side.equals("a") ? "10.99.9.1" : "10.99.9.2"; }

    private static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as("%s: %s", List.of(command), said).isZero();
    }

    /** A forked member and what it has said. */
    private static final class Member {
        final Process process;
        final List<String> lines = new CopyOnWriteArrayList<>();
        private final PrintStream in;

        /** @param arguments side, then those of {@link MemberProcess} */
        Member(List<String> arguments) throws IOException {
            List<String> command = new ArrayList<>(List.of("ip", "netns", "exec", PREFIX + arguments.getFirst(),
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:TieredStopAtLevel=1"));
            for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) if (option.startsWith("--")) command.add(option);
            command.addAll(List.of("-cp", System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                    MemberProcess.class.getName()));
            command.addAll(arguments.subList(1, arguments.size()));
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
            in = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
            Thread.ofVirtual().start(() -> {
                try (BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
                    for (String line = out.readLine(); line != null; line = out.readLine()) lines.add(line);
                } catch (IOException e) {
                    lines.add(e.toString());
                }
            });
        }

        void tell(String line) { in.println(line); }

        /** The line that has this in it. */
        String await(String part, int seconds) {
            try {
                Awaitility.await().pollInterval(2, TimeUnit.MILLISECONDS).atMost(seconds, TimeUnit.SECONDS)
                        .until(() -> lines.stream().anyMatch(line -> line.contains(part)));
            } catch (ConditionTimeoutException e) {
                throw new AssertionError("\"" + part + "\" was not said: " + lines, e);
            }
            return lines.stream().filter(line -> line.contains(part)).findFirst().orElseThrow();
        }
    }
}
