package io.ambo.hatests.sim;

import io.ambo.hatests.sim.EndFrames.End;
import io.ambo.node.packet.PacketView;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** A TCP connection: requests and replies with pauses between, then one of the ways in which connections end. */
final class TcpConversation extends Conversation implements TcpEnd.World {
    private enum Ending {
        CLIENT_FIN, SERVER_FIN, BOTH_FIN, CLIENT_RST, SERVER_RST, VANISH
    }

    /** Beyond 65535 it has to be scaled. */
    private static final int WINDOW = 60_000, SCALE = 2;
    private static final long LONGEST_PAUSE_NS = 3 * Agenda.S;
    private static final long HALF_CLOSED_NS = 2 * Agenda.S;

    /** The server's side of one SYN that came through: two nodes that translate it in two ways make two of it. */
    private static final class Accepted {
        final End seenAs;
        @Nullable
        TcpEnd end;

        Accepted(End seenAs) { this.seenAs = seenAs; }
    }

    private final SplittableRandom random;
    private final int initial;
    private final boolean scales;
    private final Ending ending;
    private final long longestPauseNs;
    private final int[] requests;
    private final int[] replies;
    private final List<Accepted> accepted = new ArrayList<>();
    private @Nullable TcpEnd clientEnd;
    private @Nullable Accepted server;
    private boolean established;
    private boolean resets;
    private boolean stopsEarly;
    private int exchange;
    private long waitsSinceNs = Long.MAX_VALUE;
    private int progress;

    TcpConversation(int id, End client, End dialed, End real, int wayOut, int wayBack, int initial, SplittableRandom random,
            Network network) {
        super(id, client, dialed, real, EndFrames.TCP, wayOut, wayBack, network);
        this.random = random;
        this.initial = initial;
        scales = random.nextBoolean();
        ending = Ending.values()[random.nextInt(Ending.values().length)];
        longestPauseNs = random.nextInt(4) == 0 ? LONGEST_PAUSE_NS : LONGEST_PAUSE_NS / 10;
        int exchanges = random.nextInt(1, 7);
        requests = new int[exchanges];
        replies = new int[exchanges];
        for (int i = 0; i < exchanges; i++) {
            requests[i] = 1 + random.nextInt(random.nextInt(6) == 0 ? 12_000 : 800);
            replies[i] = 1 + random.nextInt(random.nextInt(6) == 0 ? 16_000 : 1_500);
        }
    }

    /** Where a connection that takes over the ports afterwards may begin. */
    int nextInitial() {
        int highest = clientEnd == null ? initial : clientEnd.highest();
        return highest + 100_000 + random.nextInt(1_000_000);
    }

    @Override
    void open() { clientEnd = TcpEnd.connect(this, random, initial); }

    @Override
    boolean isEstablished() { return established; }

    @Override
    boolean isTorn(boolean toServer, PacketView packet) {
        Accepted chosen = server;
        if (toServer || accepted.size() < 2) return false;
        return chosen == null || chosen.end == null || packet.hasTcp(TcpEnd.SYN) && packet.tcpSeq() != chosen.end.initial;
    }

    @Override
    int timeoutMs() { return SimulatedConfig.TCP_MS; }

    @Override
    void quit() {
        stopsEarly = true;
        if (clientEnd != null && !isOver()) end();
    }

    @Override
    long waitsSinceNs() { return waitsSinceNs; }

    @Override
    void onFrame(boolean atServer, PacketView packet) {
        if (!atServer) {
            if (clientEnd != null) clientEnd.onSegment(packet.tcpFlags(), packet.tcpSeq(), packet.tcpAck(), packet.tcpPayload());
            return;
        }
        End from = new End(new io.ambo.cluster.address.IpAddress(packet.sourceHigh(), packet.sourceLow()), packet.sourcePort());
        boolean opens = packet.hasTcp(TcpEnd.SYN) && !packet.hasTcp(TcpEnd.ACK);
        Accepted of = null;
        for (Accepted each : accepted) if (each.seenAs.equals(from)) of = each;
        if (of == null && opens && !isOver()) {
            of = new Accepted(from);
            accepted.add(of);
            Accepted sender = of;
            of.end = TcpEnd.accept(new ServerWorld(sender), random, random.nextInt(), packet.tcpSeq());
            return;
        }
        Accepted answers = server;
        if (answers != null && !answers.seenAs.equals(from) && mustLive() && !opens)
            network().onTranslatedAnew(this, answers.seenAs, from);
        if (of != null && of.end != null) of.end.onSegment(packet.tcpFlags(), packet.tcpSeq(), packet.tcpAck(), packet.tcpPayload());
    }

    // The client's world

    @Override
    public void send(TcpEnd from, int flags, int seq, int ack, int payload) { segment(true, client, dialed, flags, seq, ack, payload); }

    private void segment(boolean fromClient, End from, End to, int flags, int seq, int ack, int payload) {
        boolean syn = (flags & TcpEnd.SYN) != 0;
        int window = scales && !syn ? WINDOW >> SCALE : WINDOW;
        byte[] frame = EndFrames.tcp(id, from, to, flags, seq, ack, window, syn && scales ? SCALE : -1, payload);
        String names = (syn ? "SYN " : "") + ((flags & TcpEnd.FIN) != 0 ? "FIN " : "") + ((flags & TcpEnd.RST) != 0 ? "RST " : "");
        String what = names + Integer.toUnsignedString(seq) + "+" + payload
                + ((flags & TcpEnd.ACK) != 0 ? " ack " + Integer.toUnsignedString(ack) : "");
        network().send(this, fromClient, frame, what);
    }

    @Override
    public void after(long ns, Runnable act) { network().after(ns, act); }

    @Override
    public void onEstablished(TcpEnd end) { agree(); }

    @Override
    public void onReceived(TcpEnd end, long bytes) {
        long awaited = 0;
        for (int i = 0; i < exchange && i < replies.length; i++) awaited += replies[i];
        if (bytes < awaited) return;
        if (exchange < requests.length && !stopsEarly) network().after(pauseNs(), this::request);
        else if (!isOver()) network().after(pauseNs(), this::end);
    }

    @Override
    public void onFin(TcpEnd end) {
        over("the server sent FIN");
        network().after(random.nextLong(HALF_CLOSED_NS), end::finish);
    }

    @Override
    public void onClosed(TcpEnd end, String why) { closed("the client", why); }

    private void closed(String who, String why) {
        if (why.equals("was reset") && !resets) network().onWrong(this, who + " was reset, but nobody has sent an RST");
        over(who + " " + why);
    }

    /** Both sides have come to know each other: the conversation stands. */
    private void agree() {
        if (established || clientEnd == null || !clientEnd.isEstablished()) return;
        for (Accepted each : accepted) {
            TcpEnd end = each.end;
            if (end == null || !end.isEstablished()) continue;
            established = true;
            server = each;
            network().onEstablished(this, each.seenAs);
            request();
            return;
        }
    }

    private void request() {
        if (clientEnd == null || isOver() || clientEnd.phase() == TcpEnd.Phase.CLOSED) return;
        if (exchange >= requests.length) {
            end();
            return;
        }
        clientEnd.write(requests[exchange++]);
    }

    private void end() {
        TcpEnd own = clientEnd;
        Accepted other = server;
        if (own == null || isOver()) return;
        TcpEnd serverEnd = other == null ? null : other.end;
        if (serverEnd == null) {
            over("the client loses patience");
            own.vanish();
            return;
        }
        over("ends: " + ending);
        switch (ending) {
            case CLIENT_FIN -> own.finish();
            case SERVER_FIN -> serverEnd.finish();
            case BOTH_FIN -> {
                own.finish();
                serverEnd.finish();
            }
            case CLIENT_RST -> {
                resets = true;
                own.reset();
            }
            case SERVER_RST -> {
                resets = true;
                serverEnd.reset();
            }
            case VANISH -> {
                own.vanish();
                serverEnd.vanish();
            }
        }
    }

    /** Notes whether an end waits. */
    void look(long nowNs) {
        Accepted other = server;
        TcpEnd serverEnd = other == null ? null : other.end;
        boolean waits = clientEnd != null && clientEnd.isWaiting() || serverEnd != null && serverEnd.isWaiting();
        int sum = clientEnd == null ? 0 : clientEnd.acknowledged() + (serverEnd == null ? 0 : 31 * serverEnd.acknowledged());
        if (!waits || sum != progress) waitsSinceNs = waits ? nowNs : Long.MAX_VALUE;
        progress = sum;
    }

    private long pauseNs() { return random.nextLong(longestPauseNs); }

    /** The same for the server's end. */
    private final class ServerWorld implements TcpEnd.World {
        private final Accepted of;

        ServerWorld(Accepted of) { this.of = of; }

        @Override
        public void send(TcpEnd from, int flags, int seq, int ack, int payload) {
            segment(false, real, of.seenAs, flags, seq, ack, payload);
        }

        @Override
        public void after(long ns, Runnable act) { network().after(ns, act); }

        @Override
        public void onEstablished(TcpEnd end) { agree(); }

        @Override
        public void onReceived(TcpEnd end, long bytes) {
            long awaited = 0;
            for (int i = 0; i < exchange; i++) awaited += requests[i];
            if (bytes >= awaited && exchange > 0) end.write(replies[exchange - 1]);
        }

        @Override
        public void onFin(TcpEnd end) {
            over("the client sent FIN");
            network().after(random.nextLong(HALF_CLOSED_NS), () -> {
                if (random.nextBoolean()) end.write(1 + random.nextInt(3000));
                end.finish();
            });
        }

        @Override
        public void onClosed(TcpEnd end, String why) {
            if (why.equals("refuses")) resets = true;
            else if (server == of || why.equals("was reset")) closed("the server", why);
        }
    }
}
