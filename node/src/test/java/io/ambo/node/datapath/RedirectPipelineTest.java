package io.ambo.node.datapath;

import static io.ambo.node.packet.PacketView.ACK;
import static io.ambo.node.packet.PacketView.RST;
import static io.ambo.node.packet.PacketView.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.session.InMemorySessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.node.config.AddressMatch;
import io.ambo.node.firewall.Match;
import io.ambo.node.firewall.Nat;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.firewall.Timeouts;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.packet.PacketView;
import io.ambo.node.redirect.Geneve;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Three nodes in redirect mode, packet by packet: who asks whom, who forwards, and what is learnt. */
@SuppressWarnings("NullAway") // every member is in the map
class RedirectPipelineTest {
    private static final String CLIENT = "10.0.0.7", SERVER = "192.0.2.3";
    private static final Timeouts TIMEOUTS = new Timeouts(30_000, 7_200_000, 120_000, 10_000, 30_000, 120_000, 10_000, 120_000);
    private static final List<NodeId> ALL = List.of(NodeId.of("a"), NodeId.of("b"), NodeId.of("c"));

    /** A packet between members. */
    private record Handed(int from, int to, int zone, int ingress, int hops, MemorySegment packet) {}

    private final Map<Integer, Member> members = new HashMap<>();
    private final Deque<Handed> wire = new ArrayDeque<>();
    private int asked;
    private View view = new View(1, ALL.getFirst(), ALL);

    private final class Member implements Redirection {
        final NodeId id;
        final InMemorySessionTable table = new InMemorySessionTable(1000);
        final TestNode node;
        final Map<Long, Integer> learnt = new HashMap<>();

        Member(NodeId id) {
            this.id = id;
            Match match = new Match(new int[]{ TestNode.CLIENT_ZONE }, new int[0], AddressMatch.ANY, AddressMatch.ANY, new int[0],
                    new int[0],
                    new int[0]);
            List<Rule> rules = List.of(new Rule(1, "out", Rule.Action.ALLOW, false, 0, false, false, false, true, 0, 0, match));
            node = new TestNode(table, new Policy(rules, Rule.defaultRule(Rule.Action.DROP), TIMEOUTS, 0, Nat.NONE), id.value(), this);
            node.hasPeers = true;
        }

        @Override
        public boolean isOn() { return true; }

        @Override
        public int local() { return id.value(); }

        @Override
        public int owner(SessionKey key, SessionRecord session) { return Homes.owner(localView(), key, session); }

        @Override
        public int director(long endsHash) { return Homes.director(localView(), endsHash).value(); }

        @Override
        public int nextDirector(long endsHash, int ingress) {
            NodeId next = Homes.nextDirector(localView(), endsHash, ingress);
            return next == null ? 0 : next.value();
        }

        @Override
        public int learnt(SessionKey ends) { return learnt.getOrDefault(ends.hash(), 0); }

        @Override
        public void learn(SessionKey ends, int owner) { learnt.put(ends.hash(), owner); }

        @Override
        public void unlearn(SessionKey ends) { learnt.remove(ends.hash()); }

        @Override
        public boolean send(int member, int zone, int ingress, int hops, MemorySegment memory, long ip, int length) {
            if (hops < Geneve.FINAL) asked++;
            wire.add(
                    new Handed(id.value(), member, zone, ingress, hops, MemorySegment.ofArray(memory.asSlice(ip - 14, length + 14L).toArray(
                            java.lang.foreign.ValueLayout.JAVA_BYTE))));
            return true;
        }

        @Override
        public void tell(int ingress, SessionKey ends, boolean isOwner) {
            Member told = members.get(ingress);
            if (isOwner) told.learnt.put(ends.hash(), id.value());
            else
                told.learnt.remove(ends.hash());
        }

        /** What it knows of who drains is its own. */
        Set<Integer> drainers = Set.of();

        private View localView() { return new View(view.id(), id, view.members()).draining(drainers); }
    }

    RedirectPipelineTest() { for (NodeId id : ALL) members.put(id.value(), new Member(id)); }

    @AfterEach
    void noFrameIsLost() {
        for (Member each : members.values()) {
            each.node.passMs(10_000);
            assertThat(each.node.freeFrames()).isEqualTo(TestNode.frames());
        }
    }

    /** Carries what is on the wire between members, until there is no more. */
    private void carry() {
        for (Handed handed = wire.poll(); handed != null; handed = wire.poll()) {
            Member to = members.get(handed.to());
            to.node.strays.add(new TestNode.HandedOver(handed.from(), handed.zone(), handed.ingress(), handed.hops(), handed.packet()));
            to.node.handOverTo(to.node);
        }
    }

    /** Deltas go to those who are to have the session. */
    private void deliverDeltas() {
        Homes homes = new Homes();
        for (Member from : members.values()) {
            for (TestNode.Delta delta = from.node.deltas.poll(); delta != null; delta = from.node.deltas.poll()) {
                for (Member to : members.values()) {
                    if (to == from || !homes.has(view, to.id.value(), delta.key(), delta.session())) continue;
                    SessionRecord copy = new SessionRecord().copyFrom(delta.session());
                    copy.localFlags(0);
                    to.table.merge(delta.key(), copy);
                    to.node.pipeline.onDeltaApplied(delta.key().hash());
                }
            }
        }
        carry();
    }

    private static PacketBuilder toServer(int port) { return PacketBuilder.tcp4().from(CLIENT, port).to(SERVER, 80); }

    private static PacketBuilder toClient(int port) { return PacketBuilder.tcp4().from(SERVER, 80).to(CLIENT, port); }

    private static long hash(int port) {
        SessionKey key = new SessionKey();
        PacketBuilder.parsed(toServer(port).bytes()).writeKey(key, 0);
        return key.hash();
    }

    /** A client port whose session's director is this member. */
    private int portWithDirector(NodeId director) {
        for (int port = 40_000; port < 50_000; port++) if (Homes.director(view, hash(port)).equals(director)) return port;
        throw new AssertionError();
    }

    /** One whose session is asked for at these, in this order, when it comes in at the first. */
    private int portWithOrder(NodeId first, NodeId second, NodeId third) {
        for (int port = 40_000; port < 50_000; port++) {
            boolean begins = Homes.director(view, hash(port)).equals(first);
            if (begins && second.equals(Homes.nextDirector(new View(view.id(), first, ALL), hash(port), first.value()))
                    && third.equals(Homes.nextDirector(new View(view.id(), second, ALL), hash(port), first.value())))
                return port;
        }
        throw new AssertionError();
    }

    private Member member(int index) { return members.get(ALL.get(index).value()); }

    /** Opens a session at one node. */
    private void open(Member at, int port) {
        at.node.in(0, toServer(port).flags(SYN).seq(100));
        assertThat(at.node.onlySent().hasTcp(SYN)).isTrue();
    }

    @Test
    void aStrayGoesToTheDirectorAndFromThereToTheOwnerWhoForwardsIt() {
        Member owner = member(0), director = member(1), ingress = member(2);
        int port = portWithDirector(director.id);
        open(owner, port);
        deliverDeltas();
        assertThat(director.table.size()).isEqualTo(1);
        assertThat(ingress.table.size()).isZero();

        ingress.node.in(1, toClient(port).flags(SYN | ACK).seq(500).ack(101));
        carry();
        PacketView synAck = owner.node.onlySent();
        assertThat(synAck.ttl()).isEqualTo(63);
        assertThat(ingress.node.sent).isEmpty();
        assertThat(director.node.sent).isEmpty();
        assertThat(asked).isOne();

        // Learnt: the next one goes to the owner at once.
        ingress.node.in(1, toClient(port).flags(ACK).seq(501).ack(101).payload(10));
        assertThat(wire).hasSize(1).allMatch(handed -> handed.to() == owner.id.value() && handed.hops() == Geneve.FINAL);
        carry();
        owner.node.onlySent();
        assertThat(asked).isOne();
    }

    /** An owner drains. It knows that first; whoever takes it for the owner still hands it a packet, and gets that back. */
    @Test
    void whoIsHandedWhatADrainingOwnerNoLongerHasTakesTheSessionOver() {
        Member owner = member(0), heir = member(1);
        int port = portWithDirector(heir.id);
        open(owner, port);
        deliverDeltas();
        owner.drainers = Set.of(owner.id.value());
        heir.node.in(1, toClient(port).flags(SYN | ACK).seq(500).ack(101));
        assertThat(wire).hasSize(1).allMatch(handed -> handed.to() == owner.id.value() && handed.hops() == Geneve.FINAL);
        carry();
        assertThat(heir.node.onlySent().hasTcp(SYN | ACK)).isTrue();
        assertThat(owner.node.sent).isEmpty();
        SessionRecord session = new SessionRecord();
        SessionKey key = new SessionKey();
        PacketBuilder.parsed(toServer(port).bytes()).writeKey(key, 0);
        assertThat(heir.table.read(key, session)).isTrue();
        assertThat(session.owner()).isEqualTo(heir.id.value());
        assertThat(heir.learnt).as("the owner has said that it has not").doesNotContainKey(hash(port));
    }

    /** Two that take each other for the owner play no ball. */
    @Test
    void whatIsHandedBackIsHandedOnNoFurther() {
        Member owner = member(0), other = member(1), third = member(2);
        int port = portWithDirector(other.id);
        open(owner, port);
        deliverDeltas();
        owner.drainers = Set.of(owner.id.value());
        other.drainers = Set.of(owner.id.value(), other.id.value());
        owner.node.in(1, toClient(port).flags(SYN | ACK).seq(500).ack(101));
        assertThat(wire).hasSize(1).allMatch(handed -> handed.to() == other.id.value());
        carry();
        assertThat(third.node.drops.total(DropReason.STRAY) + third.node.drops.total(DropReason.NOT_THE_OWNER)).isOne();
    }

    @Test
    void theBackupHandsPacketsToTheOwnerAtOnce() {
        Member owner = member(0), backup = member(1);
        int port = portWithDirector(backup.id);
        open(owner, port);
        deliverDeltas();
        backup.node.in(1, toClient(port).flags(SYN | ACK).seq(500).ack(101));
        assertThat(wire).hasSize(1).allMatch(handed -> handed.to() == owner.id.value());
        carry();
        owner.node.onlySent();
        assertThat(backup.learnt).containsEntry(hash(port), owner.id.value());
    }

    @Test
    void theDirectorWaitsForTheDeltaThatIsOnItsWay() {
        Member owner = member(0), director = member(1), ingress = member(2);
        int port = portWithDirector(director.id);
        open(owner, port);
        ingress.node.in(1, toClient(port).flags(SYN | ACK).seq(500).ack(101));
        carry();
        assertThat(director.node.counters.total(NodeCounter.STRAYS_PARKED)).isOne();
        deliverDeltas();
        owner.node.onlySent();
        assertThat(ingress.node.dropped()).isEmpty();
    }

    @Test
    void whatNobodyKnowsIsDroppedOnceByTheSecondThatWasAsked() {
        Member second = member(0), director = member(1), ingress = member(2);
        int port = portWithDirector(director.id);
        ingress.node.in(1, toClient(port).flags(ACK).seq(500).ack(101));
        carry();
        director.node.passMs(11);
        carry();
        second.node.passMs(11);
        carry();
        assertThat(second.node.drops.total(DropReason.STRAY)).isOne();
        assertThat(director.node.dropped()).isEmpty();
        assertThat(ingress.node.dropped()).isEmpty();
        assertThat(asked).isEqualTo(2);
    }

    @Test
    void whenTheDeltaIsLateTheNextOneIsAsked() {
        Member director = member(1), ingress = member(2), owner = member(0);
        int port = portWithDirector(director.id);
        open(owner, port);
        owner.node.deltas.clear();
        ingress.node.in(1, toClient(port).flags(SYN | ACK).seq(500).ack(101));
        carry();
        director.node.passMs(11);
        assertThat(wire).hasSize(1).allMatch(handed -> handed.to() == owner.id.value() && handed.hops() == Geneve.ASK_AGAIN);
        carry();
        owner.node.onlySent();
        assertThat(ingress.learnt).containsEntry(hash(port), owner.id.value());
    }

    @Test
    void allAreAskedUntilTheOwnerIsFound() {
        Member between = member(1), ingress = member(2), owner = member(0);
        int port = portWithOrder(ingress.id, between.id, owner.id);
        open(owner, port);
        owner.node.deltas.clear();
        ingress.node.in(1, toClient(port).flags(SYN | ACK).seq(500).ack(101));
        assertThat(ingress.node.counters.total(NodeCounter.STRAYS_PARKED)).isOne();
        ingress.node.passMs(11);
        carry();
        assertThat(between.node.counters.total(NodeCounter.STRAYS_PARKED)).isZero();
        owner.node.onlySent();
        assertThat(asked).isEqualTo(2);
        assertThat(ingress.learnt).containsEntry(hash(port), owner.id.value());
    }

    @Test
    void theNextLifeOfASessionThatIsOverHereMayBeAnothers() {
        Member first = member(0), next = member(1);
        int port = portWithDirector(next.id);
        open(first, port);
        first.node.in(0, toServer(port).flags(RST).seq(101));
        first.node.onlySent();
        deliverDeltas();
        for (Member each : List.of(first, next)) {
            for (int slice = 0; slice < each.table.slices(); slice++) {
                each.table.sweep(slice, (key, session) -> {
                    session.addFlags(SessionRecord.CLOSED);
                    return false;
                });
            }
        }
        open(next, port);
        first.node.in(1, toClient(port).flags(SYN | ACK).seq(500).ack(101));
        carry();
        assertThat(next.node.onlySent().hasTcp(SYN | ACK)).isTrue();
        assertThat(first.node.dropped()).isEmpty();
    }

    @Test
    void theBackupTakesOverWithTheNextPacket() {
        Member owner = member(0), backup = member(1), ingress = member(2);
        int port = portWithDirector(backup.id);
        open(owner, port);
        deliverDeltas();
        ingress.node.in(1, toClient(port).flags(SYN | ACK).seq(500).ack(101));
        carry();
        owner.node.onlySent();
        owner.node.in(0, toServer(port).flags(ACK).seq(101).ack(501));
        owner.node.onlySent();
        deliverDeltas();

        view = new View(2, ALL.get(1), ALL.subList(1, 3));
        ingress.learnt.clear();
        ingress.node.in(1, toClient(port).flags(ACK).seq(501).ack(101).payload(10));
        carry();
        backup.node.onlySent();
        SessionRecord session = new SessionRecord();
        SessionKey key = new SessionKey();
        PacketBuilder.parsed(toServer(port).bytes()).writeKey(key, 0);
        assertThat(backup.table.read(key, session)).isTrue();
        assertThat(session.owner()).isEqualTo(backup.id.value());
        assertThat(session.ownerTerm()).isOne();
        // And finds a backup of its own.
        deliverDeltas();
        assertThat(ingress.table.size()).isEqualTo(1);
    }

    @Test
    void whoWasTakenForTheOwnerSaysThatItIsNot() {
        Member wrong = member(0), ingress = member(2);
        int port = portWithDirector(member(1).id);
        ingress.learnt.put(hash(port), wrong.id.value());
        ingress.node.in(1, toClient(port).flags(ACK).seq(500).ack(101));
        carry();
        assertThat(wrong.node.drops.total(DropReason.STRAY)).isOne();
        assertThat(ingress.learnt).isEmpty();
    }

    @Test
    void aSessionThatOpensHereIsNoOthersAnyMore() {
        Member here = member(2);
        int port = portWithDirector(member(1).id);
        here.learnt.put(hash(port), member(0).id.value());
        open(here, port);
        assertThat(here.learnt).isEmpty();
    }

    @Test
    void anErrorAboutAPacketGoesToTheOwnerToo() {
        Member owner = member(0), director = member(1), ingress = member(2);
        int port = portWithDirector(director.id);
        open(owner, port);
        deliverDeltas();
        ingress.node.in(1, toClient(port).flags(SYN | ACK).seq(500).ack(101));
        carry();
        owner.node.sent.clear();
        byte[] syn = toServer(port).flags(SYN).seq(100).bytes();
        ingress.node.in(1, PacketBuilder.error4(3, 1, syn, 40));
        carry();
        assertThat(owner.node.onlySent().isIcmpError()).isTrue();
    }

    @Test
    void fragmentsFollowTheirFirstOneToTheOwner() {
        Member owner = member(0), ingress = member(2);
        int port = portWithDirector(member(1).id);
        owner.node.in(0, PacketBuilder.udp4().from(CLIENT, port).to(SERVER, 53).payload(10));
        owner.node.onlySent();
        deliverDeltas();
        List<byte[]> fragments = new ArrayList<>();
        byte[] whole = PacketBuilder.udp4().from(SERVER, 53).to(CLIENT, port).payload(1000).bytes();
        fragments.add(fragment(whole, 0, 512, true));
        fragments.add(fragment(whole, 512, whole.length - 34 - 512, false));
        for (byte[] fragment : fragments) {
            ingress.node.in(1, fragment);
            carry();
        }
        ingress.node.passMs(1);
        carry();
        owner.node.passMs(1);
        assertThat(owner.node.sent).hasSize(2);
    }

    private static byte[] fragment(byte[] whole, int offset, int length, boolean more) {
        byte[] frame = new byte[34 + length];
        System.arraycopy(whole, 0, frame, 0, 34);
        System.arraycopy(whole, 34 + offset, frame, 34, length);
        int total = 20 + length;
        int field = offset / 8 | (more ? 0x2000 : 0);
        frame[16] = (byte) (total >>> 8);
        frame[17] = (byte) total;
        frame[18] = 0x12;
        frame[19] = 0x34;
        frame[20] = (byte) (field >>> 8);
        frame[21] = (byte) field;
        frame[24] = 0;
        frame[25] = 0;
        int sum = 0;
        for (int i = 14; i < 34; i += 2) sum += (frame[i] & 0xFF) << 8 | frame[i + 1] & 0xFF;
        sum = (sum & 0xFFFF) + (sum >>> 16);
        sum = ~((sum & 0xFFFF) + (sum >>> 16));
        frame[24] = (byte) (sum >>> 8);
        frame[25] = (byte) sum;
        return frame;
    }
}
