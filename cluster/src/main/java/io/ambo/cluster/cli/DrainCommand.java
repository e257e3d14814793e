package io.ambo.cluster.cli;

import io.ambo.proto.control.Drain;
import io.ambo.proto.control.DrainRequest;
import io.ambo.proto.control.NodeAnswer;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "drain", description = "Takes the load off a node, make before break: its peers take its floating addresses and answer for its sessions, new"
        + " sessions go to them, established flows go on. Ends when the node owns no session, has no address and forwards no packet any more, or at the"
        + " deadline. The node stays drained until `ambo undrain` or its next start.", footer = {
                "%nProgress goes to stderr. Packets that routers send to the node (ECMP, static routes) are theirs to move: without that a drain ends at the"
                        + " deadline.",
                "%nExamples:", "  ambo drain b", "  ambo drain a --deadline 300", "  ambo drain a --no-wait",
                "%nExit code: 0 drained; 1 not drained at the deadline, or nobody can take over; 2 wrong usage; 3 no node could be asked; 4 the node did not"
                        + " answer." })
final class DrainCommand extends NodeCommand {
    private static final long POLL_NS = 500_000_000, NS_PER_SECOND = 1_000_000_000;
    /** Polls in a row without a packet, after which its paths are gone. */
    private static final int QUIET_POLLS = 2;

    @Parameters(paramLabel = "NODE", description = "A member's name: ambo members")
    String node = "";

    @Option(names = "--deadline", paramLabel = "SECONDS", defaultValue = "60", description = "When to give up waiting. Default: 60.")
    int deadlineSeconds;

    @Option(names = "--no-wait", description = "Begin, and return at once.")
    boolean noWait;

    @Override
    public Integer call() {
        if (deadlineSeconds < 1) throw new CliException(ExitCode.USAGE, "--deadline is 1 second or more", "");
        try (ControlClient client = connect()) {
            return drain(client);
        }
    }

    private int drain(ControlClient client) {
        NodeAnswer answer = poll(client, DrainRequest.newBuilder());
        if (answer.hasError()) return unanswered(answer);
        if (answer.getDrain().getAlone()) {
            problem(node + " has no living peer that could take over: it is not drained (ambo members)");
            return ExitCode.NEGATIVE;
        }
        answer = poll(client, DrainRequest.newBuilder().setBegin(true));
        if (answer.hasError()) return unanswered(answer);
        long beganNs = System.nanoTime();
        long packets = answer.getDrain().getForwardedPackets();
        long polledNs = beganNs;
        long perSecond = 0;
        int quiet = 0;
        Drain drain = answer.getDrain();
        while (!noWait && System.nanoTime() - beganNs < deadlineSeconds * NS_PER_SECOND) {
            LockSupport.parkNanos(POLL_NS);
            answer = poll(client, DrainRequest.newBuilder());
            if (answer.hasError()) return unanswered(answer);
            drain = answer.getDrain();
            long nowNs = System.nanoTime();
            perSecond = (drain.getForwardedPackets() - packets) * NS_PER_SECOND / Math.max(1, nowNs - polledNs);
            packets = drain.getForwardedPackets();
            polledNs = nowNs;
            if (!drain.getDraining()) {
                problem("somebody has ended the drain of " + node);
                return ExitCode.NEGATIVE;
            }
            boolean handedOver = drain.getKnownToAll() && drain.getOwnedSessions() == 0 && drain.getAddressesCount() == 0;
            quiet = handedOver && perSecond == 0 ? quiet + 1 : 0;
            cli().err().println(node + ": " + state(drain, perSecond));
            if (quiet >= QUIET_POLLS) break;
        }
        boolean drained = quiet >= QUIET_POLLS;
        report(drain, perSecond, drained);
        if (noWait || drained) return ExitCode.OK;
        problem("not drained after " + deadlineSeconds + " s: " + node + " has " + state(drain, perSecond)
                + (perSecond > 0 ? "; routers still send packets there: move their routes" : ""));
        return ExitCode.NEGATIVE;
    }

    private NodeAnswer poll(ControlClient client, DrainRequest.Builder request) {
        return ask(client, request().setDrain(request.setNode(node))).getNodes(0);
    }

    private int unanswered(NodeAnswer answer) {
        problem(Text.failure(answer));
        return ExitCode.PARTIAL;
    }

    private static String state(Drain drain, long perSecond) {
        return Text.count(drain.getOwnedSessions(), "session") + " owned, " + Text.list(drain.getAddressesList())
                + (drain.getAddressesCount() == 0 ? "no address" : "") + ", " + perSecond + " packets/s"
                + (drain.getKnownToAll() ? "" : "; not all peers know yet");
    }

    private void report(Drain drain, long perSecond, boolean drained) {
        if (json)
            println(Json.pretty(Json.object("node", node, "drained", drained, "owned_sessions", drain.getOwnedSessions(), "addresses",
                    drain.getAddressesList(), "packets_per_second", perSecond, "known_to_all", drain.getKnownToAll())));
        else if (drained) println(node + " is drained: it may be stopped; undrain it with: ambo undrain " + node);
        else if (noWait) println(node + " drains; see how far it is: ambo drain " + node);
    }
}
