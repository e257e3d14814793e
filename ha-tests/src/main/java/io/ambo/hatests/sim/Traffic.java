package io.ambo.hatests.sim;

import io.ambo.cluster.address.IpAddress;
import io.ambo.hatests.sim.EndFrames.End;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Parser;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** Opens conversations, deals their packets to the nodes that take any, and brings what comes out to the ends. The network in between loses, delays, doubles. */
final class Traffic implements Conversation.Network {
    /** Who watches the conversations. */
    interface Witness {
        void onEstablished(Conversation conversation, End seenAs);

        void onTranslatedAnew(Conversation conversation, End seenAs, End now);

        /** A node sends on a packet of it. */
        void onForwarded(Conversation conversation, SimulatedNode node);

        void onWrong(Conversation conversation, String what);
    }

    private static final long SLOWEST_NS = 800 * Agenda.US;
    private static final long REOPEN_NS = 2 * Agenda.S;
    private static final int CLIENTS = 8, SERVERS = 3;

    private final Agenda agenda;
    private final EventLog log;
    private final SplittableRandom random;
    private final Scenario scenario;
    private final List<SimulatedNode> nodes;
    private final Witness witness;
    private final List<Conversation> conversations = new ArrayList<>();
    /** By the key of its session, the conversation that has it now. */
    private final Map<Long, Conversation> current = new HashMap<>();
    /** What each server takes for its clients. */
    private final Map<List<End>, Conversation> seen = new LinkedHashMap<>();
    private final PacketView packet = new PacketView();
    private int left;
    private boolean calm;
    private long packets;
    private long forwarded;
    private int established;

    Traffic(Agenda agenda, EventLog log, SplittableRandom random, Scenario scenario, List<SimulatedNode> nodes, Witness witness) {
        this.agenda = agenda;
        this.log = log;
        this.random = random;
        this.scenario = scenario;
        this.nodes = nodes;
        this.witness = witness;
        left = scenario.conversations();
    }

    List<Conversation> conversations() { return conversations; }

    @Nullable
    Conversation current(long keyHash) { return current.get(keyHash); }

    long packets() { return packets; }

    long forwarded() { return forwarded; }

    int established() { return established; }

    /** Opens all conversations within this time. */
    void start(long withinNs) {
        agenda.in(random.nextLong(Math.max(1, 2 * withinNs / scenario.conversations())), () -> {
            if (left-- <= 0) return;
            open();
            start(withinNs);
        });
    }

    /** No more losses. */
    void calm() { calm = true; }

    /** Nothing new, and what is open ends. */
    void quit() {
        left = 0;
        for (Conversation each : conversations) each.quit();
    }

    private void open() {
        boolean v4 = random.nextBoolean();
        int kind = random.nextInt(10);
        boolean translated = random.nextBoolean();
        End client = new End(client(v4, translated), random.nextInt(2000, 2000 + 40));
        if (kind >= 7) {
            int protocol = kind < 9 ? EndFrames.UDP : v4 ? EndFrames.ICMP : EndFrames.ICMPV6;
            End server = new End(server(v4), protocol == EndFrames.UDP ? 53 : client.port());
            add(new DatagramConversation(id(), client, server, protocol, way(), way(), random.split(), this));
            return;
        }
        boolean virtual = random.nextInt(3) == 0;
        End dialed = virtual
                ? new End(v4 ? SimulatedConfig.VIRTUAL_V4 : SimulatedConfig.VIRTUAL_V6, SimulatedConfig.VIRTUAL_PORT)
                : new End(server(v4), 80);
        End real = virtual ? new End(v4 ? SimulatedConfig.REAL_V4 : SimulatedConfig.REAL_V6, SimulatedConfig.REAL_PORT) : dialed;
        int wayOut = way();
        connect(client, dialed, real, wayOut, wayOut == -1 ? -1 : way(), random.nextInt());
    }

    private void connect(End client, End dialed, End real, int wayOut, int wayBack, int initial) {
        add(new TcpConversation(id(), client, dialed, real, wayOut, wayBack, initial, random.split(), this));
    }

    private void add(Conversation opened) {
        Conversation before = current.get(opened.keyHash);
        if (before != null && !before.isOver() || conversations.size() >= EndFrames.MOST_CONVERSATIONS - 1) return;
        conversations.add(opened);
        current.put(opened.keyHash, opened);
        log.add(opened.id, "ends", "open " + opened);
        opened.open();
    }

    private int id() { return conversations.size() + 1; }

    private int way() { return random.nextInt(3) == 0 ? random.nextInt(nodes.size()) : -1; }

    private IpAddress client(boolean v4, boolean translated) {
        int number = random.nextInt(CLIENTS) + 1;
        int network = translated ? 1 : 2;
        return v4
                ? IpAddress.ofIpv4(SimulatedRoutes.CLIENTS_V4 << 24 | network << 16 | number)
                : new IpAddress(SimulatedRoutes.CLIENTS_V6, (long) network << 48 | number);
    }

    private IpAddress server(boolean v4) {
        int number = random.nextInt(SERVERS) + 1;
        return v4 ? IpAddress.ofIpv4(0xC000_0200 | number) : new IpAddress(0x2001_0DB8_0000_0003L, number);
    }

    // From the ends to the nodes

    @Override
    public void send(Conversation conversation, boolean fromClient, byte[] frame, String what) {
        packets++;
        if (isLost()) {
            log.add(conversation.id, fromClient ? "client" : "server", what + " is lost");
            return;
        }
        int copies = !calm && random.nextInt(200) == 0 ? 2 : 1;
        for (int i = 0; i < copies; i++) agenda.in(delayNs(), () -> deal(conversation, fromClient, frame, what));
    }

    private void deal(Conversation conversation, boolean fromClient, byte[] frame, String what) {
        SimulatedNode node = choose(fromClient ? conversation.wayOut : conversation.wayBack);
        log.add(conversation.id, fromClient ? "client" : "server", what + (node == null ? " finds no node" : " to " + node));
        if (node != null) node.receive(conversation.id, fromClient ? SimulatedRoutes.INSIDE : SimulatedRoutes.OUTSIDE, frame);
    }

    private @Nullable SimulatedNode choose(int preferred) {
        List<SimulatedNode> taking = nodes.stream().filter(SimulatedNode::takesTraffic).toList();
        List<SimulatedNode> staying = taking.stream().filter(node -> !node.drains()).toList();
        List<SimulatedNode> among = staying.isEmpty() ? taking : staying;
        if (preferred >= 0 && among.contains(nodes.get(preferred))) return nodes.get(preferred);
        return among.isEmpty() ? null : among.get(random.nextInt(among.size()));
    }

    private boolean isLost() { return !calm && random.nextDouble() < scenario.packetLoss(); }

    private long delayNs() { return 10 * Agenda.US + random.nextLong(SLOWEST_NS); }

    @Override
    public void after(long ns, Runnable act) { agenda.in(ns, act); }

    // From the nodes to the ends

    void onSent(SimulatedNode node, int id, int port, byte[] frame) {
        Conversation conversation = conversations.get(id - 1);
        boolean toServer = port == SimulatedRoutes.OUTSIDE;
        forwarded++;
        if (Parser.parse(packet.wrap(MemorySegment.ofArray(frame), 0, frame.length)) != DropReason.NONE
                || Parser.verifyTransportChecksum(packet) != DropReason.NONE) {
            onWrong(conversation, node + " sends a frame that is damaged");
            return;
        }
        if (packet.isIcmpError() || packet.protocol() != conversation.protocol) return;
        check(node, conversation, toServer);
        conversation.forwarded(agenda.nowNs());
        witness.onForwarded(conversation, node);
        log.add(id, node.id.name(), "forwards to the " + (toServer ? "server" : "client"));
        if (isLost()) return;
        agenda.in(delayNs(), () -> {
            Parser.parse(packet.wrap(MemorySegment.ofArray(frame), 0, frame.length));
            conversation.onFrame(toServer, packet);
        });
    }

    /** Frames come out with the ends that whoever gets them knows. */
    private void check(SimulatedNode node, Conversation conversation, boolean toServer) {
        End from = new End(new IpAddress(packet.sourceHigh(), packet.sourceLow()), packet.sourcePort());
        End to = new End(new IpAddress(packet.destinationHigh(), packet.destinationLow()), packet.destinationPort());
        boolean echo = packet.isIcmp();
        boolean right = toServer
                ? echo ? to.address().equals(conversation.real.address()) : to.equals(conversation.real)
                : from.equals(conversation.dialed) && to.equals(conversation.client);
        if (!right && !conversation.isTorn(toServer, packet))
            onWrong(conversation, node + " sends a frame to the " + (toServer ? "server" : "client") + " as " + from + " > " + to);
    }

    void onDropped(SimulatedNode node, int id, DropReason reason) {
        log.add(id > 0 ? id : EventLog.CLUSTER, node.id.name(), "drops: " + reason);
    }

    // What the conversations tell

    @Override
    public void onEstablished(Conversation conversation, End seenAs) {
        established++;
        log.add(conversation.id, "ends", "established, the server sees " + seenAs);
        witness.onEstablished(conversation, seenAs);
        if (conversation.protocol != EndFrames.TCP) return;
        Conversation other = seen.put(List.of(seenAs, conversation.real), conversation);
        if (other != null && other.id != conversation.id && other.mustLive())
            onWrong(conversation, "the server sees it as " + seenAs + ", which is also " + other);
    }

    @Override
    public void onOver(Conversation conversation, String why) {
        log.add(conversation.id, "ends", "over: " + why);
        if (!(conversation instanceof TcpConversation tcp) || left <= 0 || random.nextInt(3) != 0) return;
        agenda.in(random.nextLong(REOPEN_NS), () -> {
            if (left > 0 && tcp.equals(current.get(tcp.keyHash)))
                connect(tcp.client, tcp.dialed, tcp.real, tcp.wayOut, tcp.wayBack, tcp.nextInitial());
        });
    }

    @Override
    public void onTranslatedAnew(Conversation conversation, End seenAs, End now) { witness.onTranslatedAnew(conversation, seenAs, now); }

    @Override
    public void onWrong(Conversation conversation, String what) { witness.onWrong(conversation, what); }
}
