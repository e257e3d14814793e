package io.ambo.hatests.sim;

import io.ambo.hatests.sim.EndFrames.End;
import io.ambo.node.packet.PacketView;
import java.util.SplittableRandom;

/** Questions and answers without a connection: UDP, or ICMP echo. Each question is asked once; what is lost is lost. */
final class DatagramConversation extends Conversation {
    private static final long LONGEST_PAUSE_NS = 3 * Agenda.S;

    private final SplittableRandom random;
    private int questions;
    private int sequence;
    private boolean established;

    /** @param protocol UDP, or what echo is of in this version of IP */
    DatagramConversation(int id, End client, End dialed, int protocol, int wayOut, int wayBack, SplittableRandom random, Network network) {
        super(id, client, dialed, dialed, protocol, wayOut, wayBack, network);
        this.random = random;
        questions = random.nextInt(1, 15);
    }

    @Override
    void open() { ask(); }

    private void ask() {
        if (isOver()) return;
        if (questions-- == 0) {
            over("nothing more to ask");
            return;
        }
        sequence++;
        byte[] frame = protocol == EndFrames.UDP
                ? EndFrames.udp(id, client, dialed, random.nextInt(600))
                : EndFrames.echo(id, client, dialed, false, client.port(), sequence);
        network().send(this, true, frame, "question " + sequence);
        network().after(random.nextLong(LONGEST_PAUSE_NS), this::ask);
    }

    @Override
    void onFrame(boolean atServer, PacketView packet) {
        if (!atServer) {
            if (established) return;
            established = true;
            network().onEstablished(this, client);
            return;
        }
        End from = new End(new io.ambo.cluster.address.IpAddress(packet.sourceHigh(), packet.sourceLow()), packet.sourcePort());
        byte[] frame = protocol == EndFrames.UDP
                ? EndFrames.udp(id, dialed, from, random.nextInt(900))
                : EndFrames.echo(id, dialed, from, true, packet.sourcePort(), sequence);
        network().send(this, false, frame, "answer " + sequence);
    }

    @Override
    boolean isEstablished() { return established; }

    @Override
    int timeoutMs() { return protocol == EndFrames.UDP ? SimulatedConfig.UDP_MS : SimulatedConfig.ECHO_MS; }

    @Override
    void quit() { over("quits"); }

    @Override
    long waitsSinceNs() { return Long.MAX_VALUE; }
}
