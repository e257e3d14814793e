package io.ambo.hatests.sim;

import io.ambo.cluster.ClusterCounter;
import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.hatests.sim.EndFrames.End;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What must hold after every event, whatever happens:
 *
 * <ol>
 * <li>no session of an established conversation is lost while one node that has it lives,
 * <li>a closed session is never revived: what a node has known as closed is not live there again in the same incarnation,
 * <li>a half never climbs down,
 * <li>no NAT port is given out while a live session has it,
 * <li>a session has one owner in a view,
 * <li>a node that begins to take packets has every session that the open members of its view have had for a while,
 * <li>an established connection is never translated in another way, never reset by a node, and never stalls once all is well,
 * <li>in the end all nodes are in one view, open, and have equal tables; in redirect mode: each session is equal with all that are to have it,
 * <li>in redirect mode the packets of an established session pass one node, as long as nothing changes.
 * </ol>
 */
final class Invariants implements Traffic.Witness {
    /** A session that was last seen so long before its timeout may be closed by a node that has not heard of it since. */
    private static final long LAG_MS = 8_000;
    /** A delta may be so long on its way to a node that opens. */
    private static final long SETTLED_NS = 1_500 * Agenda.MS;
    private static final long STALL_NS = 9 * Agenda.S;
    /** Nodes that have met have agreed about everything after so long. */
    private static final long UNITED_NS = 4 * Agenda.S;

    private record Incarnation(int epoch, long created, int creator) {
        static Incarnation of(SessionRecord session) { return new Incarnation(session.epoch(), session.created(), session.creator()); }
    }

    /** What stays the same when an incarnation goes on in a later epoch. */
    private record Birth(long created, int creator) {
        static Birth of(SessionRecord session) { return new Birth(session.created(), session.creator()); }
    }

    /** Who sent on a conversation's packet, and when. */
    private record Forwarder(SimulatedNode node, long atNs) {}

    /** What is known of one key all over the cluster. */
    private static final class Tracked {
        final SessionKey key;
        /** By node: since when it has a live session; negative: it has none. */
        final long[] sinceNs;
        /** By node: of its live session. */
        final @Nullable Birth[] births;
        /** For which conversation of these ends a session was opened. */
        final Map<Birth, Integer> bornFor = new HashMap<>();
        final List<Set<Incarnation>> closed = new ArrayList<>();

        Tracked(SessionKey key, int nodes) {
            this.key = new SessionKey().copyFrom(key);
            sinceNs = new long[nodes];
            births = new Birth[nodes];
            java.util.Arrays.fill(sinceNs, -1);
            for (int i = 0; i < nodes; i++) closed.add(new HashSet<>());
        }

        void hold(int node, SessionRecord session, long nowNs) {
            if (sinceNs[node] < 0) sinceNs[node] = nowNs;
            births[node] = Birth.of(session);
        }

        void forget(int node) {
            sinceNs[node] = -1;
            births[node] = null;
        }

        boolean isHeld() {
            for (long since : sinceNs) if (since >= 0) return true;
            return false;
        }
    }

    private final Agenda agenda;
    private final EventLog log;
    private final List<SimulatedNode> nodes;
    private final Map<Integer, String> names = new HashMap<>();
    private final Map<Long, Tracked> sessions = new LinkedHashMap<>();
    private final SessionRecord record = new SessionRecord();
    private final SessionKey found = new SessionKey();
    private final Homes homes = new Homes();
    private final Map<Integer, Forwarder> forwarders = new HashMap<>();
    /** As whom the server knows the client, by conversation. */
    private final Map<Integer, End> established = new HashMap<>();
    private @Nullable Traffic traffic;
    private boolean redirect;
    private @Nullable String violation;
    private final Set<Integer> subjects = new HashSet<>();
    private final int nodeCount;
    private long unitedSinceNs = Long.MAX_VALUE;
    private long disturbedUntilNs;
    private long ownersMoveUntilNs;

    /** @param nodes are put there later */
    Invariants(Agenda agenda, EventLog log, List<SimulatedNode> nodes, List<String> nodeNames) {
        this.agenda = agenda;
        this.log = log;
        for (String each : nodeNames) names.put(NodeId.of(each).value(), each);
        this.nodes = nodes;
        nodeCount = nodeNames.size();
    }

    /** Until then deltas may be late. */
    void disturbed(long untilNs) { disturbedUntilNs = Math.max(disturbedUntilNs, untilNs); }

    /** Until then members hear that one of them drains, or does no longer: its sessions become others', or its own again. */
    void ownersMove(long untilNs) {
        ownersMoveUntilNs = Math.max(ownersMoveUntilNs, untilNs);
    }

    void watch(Traffic watched, boolean inRedirectMode) {
        traffic = watched;
        redirect = inRedirectMode;
    }

    /** What was violated first, or null. */
    @Nullable
    String violation() { return violation; }

    /** The conversations concerned. */
    Set<Integer> subjects() { return subjects; }

    /** Looks at one node's table. */
    WatchedTable.Watch of(int node) {
        return new WatchedTable.Watch() {
            @Override
            public void onChange(SessionKey key, @Nullable SessionRecord before, @Nullable SessionRecord after) {
                changed(node, key, before, after);
            }

            @Override
            public void onGiven(SessionKey ends, SessionKey session) { given(node, ends, session); }
        };
    }

    private void fail(String what, @Nullable Conversation conversation) {
        if (violation != null) return;
        violation = what + ", at " + agenda.nowNs() / Agenda.MS + " ms";
        if (conversation != null) subjects.add(conversation.id);
    }

    private @Nullable Conversation conversation(SessionKey key) { return traffic == null ? null : traffic.current(key.hash()); }

    private String name(SessionKey key) {
        Conversation conversation = conversation(key);
        return conversation == null ? "a session of nobody" : conversation.toString();
    }

    private static boolean isLive(@Nullable SessionRecord session) { return session != null && !session.has(SessionRecord.CLOSED); }

    /** Whether a node is to have a session that is as the record says. */
    private boolean isHome(SimulatedNode node, SessionKey key, SessionRecord session) {
        return !redirect || homes.has(node.cluster().view(), node.id.value(), key, session);
    }

    // After every change of a table

    private void changed(int node, SessionKey key, @Nullable SessionRecord before, @Nullable SessionRecord after) {
        Tracked tracked = sessions.computeIfAbsent(key.hash(), hash -> new Tracked(key, nodeCount));
        Set<Incarnation> closedHere = tracked.closed.get(node);
        if (after != null && after.has(SessionRecord.CLOSED)) closedHere.add(Incarnation.of(after));
        boolean same = false;
        if (before != null && after != null && Incarnation.of(before).equals(Incarnation.of(after))) {
            same = true;
            checkHalf(node, key, "original", before.original(), after.original());
            checkHalf(node, key, "reply", before.reply(), after.reply());
        }
        if (before != null && after != null && isLive(before) && isLive(after) && !same) agreed(key, before, after);
        Conversation of = conversation(key);
        if (of != null)
            log.detail(of.id, nodes.get(node).id.name(),
                    () -> "table: " + (after == null
                            ? "nothing"
                            : after.flags() + "/" + after.localFlags()
                                    + " term " + after.ownerTerm() + " owner " + names.getOrDefault(after.owner(), "?") + ", original "
                                    + text(after.original())
                                    + ", reply " + text(after.reply())));
        boolean begins = after != null && isLive(after) && !(same && isLive(before));
        if (after != null && begins && closedHere.contains(Incarnation.of(after)))
            fail(nodes.get(node) + " has revived a closed session: " + name(key), conversation(key));
        if (after != null && begins && after.creator() == nodes.get(node).nodeId()) {
            Conversation opened = conversation(key);
            if (redirect && opened != null && before == null && tracked.isHeld()) opened.openedTwice();
        }
        if (begins || isLive(before) && !isLive(after)) note(node, key, after);
        if (isLive(after)) {
            if (after != null) hold(tracked, node, after);
        } else if (tracked.sinceNs[node] >= 0) {
            tracked.forget(node);
            checkLoss(node, key, tracked);
        }
    }

    /**
     * Parts that did not hear of each other have each opened the session, by two copies of one SYN, and translated it each in their own way: to a server those are two
     * connections, of which the client knows one. The nodes agree upon the older one. They cannot know which one that is.
     */
    private void agreed(SessionKey key, SessionRecord loser, SessionRecord winner) {
        Conversation conversation = conversation(key);
        if (conversation == null || !loser.has(SessionRecord.TRANSLATED) || hasBeenUnited()) return;
        End seenAs = established.get(conversation.id);
        if (isSeenAs(loser, seenAs) && !isSeenAs(winner, seenAs)) conversation.loseByRight();
    }

    private static boolean isSeenAs(SessionRecord session, @Nullable End client) {
        return client != null && session.translatedPort(false) == client.port()
                && new IpAddress(session.translatedHigh(false), session.translatedLow(false)).equals(client.address());
    }

    /** For long enough to have agreed about everything. */
    private boolean hasBeenUnited() {
        return agenda.nowNs() - Math.max(unitedSinceNs, disturbedUntilNs) > UNITED_NS;
    }

    private void hold(Tracked tracked, int node, SessionRecord session) {
        tracked.hold(node, session, agenda.nowNs());
        Conversation conversation = conversation(tracked.key);
        if (conversation != null) tracked.bornFor.putIfAbsent(Birth.of(session), conversation.id);
    }

    private void note(int node, SessionKey key, @Nullable SessionRecord after) {
        Conversation conversation = conversation(key);
        if (conversation == null) return;
        String what = after == null
                ? "forgets the session"
                : (after.has(SessionRecord.CLOSED) ? "has the session closed" : "has the session") + ": life " + after.epoch() + " of "
                        + names.getOrDefault(after.creator(), "?") + " at " + after.created() + ", halves " + after.original().state()
                        + " and "
                        + after.reply().state() + ", owner " + names.getOrDefault(after.owner(), "?");
        log.add(conversation.id, nodes.get(node).id.name(), what);
    }

    private void checkHalf(int node, SessionKey key, String which, TcpHalf before, TcpHalf after) {
        boolean down = after.state() < before.state() || after.maxWindow() < before.maxWindow() || (before.flags() & ~after.flags()) != 0
                || before.has(TcpHalf.SEQ_KNOWN) && TcpHalf.after(before.seqEnd(), after.seqEnd())
                || before.has(TcpHalf.ACK_KNOWN) && TcpHalf.after(before.ack(), after.ack())
                || before.has(TcpHalf.LIMIT_KNOWN) && TcpHalf.after(before.maxEnd(), after.maxEnd());
        if (down)
            fail("on " + nodes.get(node) + " the " + which + " half has climbed down, from " + text(before) + " to " + text(after) + ": "
                    + name(key), conversation(key));
    }

    private static String text(TcpHalf half) {
        return "state " + half.state() + " end " + Integer.toUnsignedString(half.seqEnd()) + " ack " + Integer.toUnsignedString(half.ack())
                + " limit "
                + Integer.toUnsignedString(half.maxEnd());
    }

    private void checkLoss(int node, SessionKey key, Tracked tracked) {
        Conversation conversation = conversation(key);
        if (conversation == null || !conversation.mustLive() || tracked.isHeld()) return;
        long idleMs = (agenda.nowNs() - conversation.forwardedNs()) / Agenda.MS;
        if (idleMs < conversation.timeoutMs() - LAG_MS)
            fail("an established session is lost: " + nodes.get(node) + " was the last to have " + conversation, conversation);
    }

    private void given(int node, SessionKey ends, SessionKey session) {
        for (SimulatedNode each : nodes) {
            if (!each.isUp() || each.table().find(ends, found, record) != SessionTable.Found.BY_TRANSLATED_ENDS) continue;
            Conversation other = conversation(found);
            if (found.sameAs(session) || record.has(SessionRecord.CLOSED) || other == null || !other.mustLive()) continue;
            fail(nodes.get(node) + " gives out a port that " + each + " knows as that of " + other, other);
        }
    }

    // When nodes come and go

    void onCrash(SimulatedNode node, boolean fileStays) {
        for (Tracked each : sessions.values()) {
            if (!fileStays) each.closed.get(node.index).clear();
            if (each.sinceNs[node.index] < 0) continue;
            each.forget(node.index);
            Conversation conversation = conversation(each.key);
            if (conversation != null && !isKept(each, conversation)) conversation.loseByRight();
        }
    }

    private static boolean isEstablished(SessionRecord session) {
        return session.original().state() >= TcpHalf.ESTABLISHED && session.reply().state() >= TcpHalf.ESTABLISHED;
    }

    /** Whether a node has the conversation's session: not one of an earlier conversation of the same ends, and not one that its server knows nothing of. */
    private boolean isKept(Tracked tracked, Conversation conversation) {
        End seenAs = established.get(conversation.id);
        for (SimulatedNode each : nodes) {
            Birth birth = tracked.births[each.index];
            if (birth == null || tracked.bornFor.getOrDefault(birth, 0) != conversation.id) continue;
            if (!each.table().read(tracked.key, record) || !isLive(record)) continue;
            // It has heard of the opening, and of nothing since: the session that it has is another one to its ends.
            if (conversation.protocol == EndFrames.TCP && !isEstablished(record)) continue;
            if (seenAs == null || !record.has(SessionRecord.TRANSLATED) || isSeenAs(record, seenAs)) return true;
        }
        return false;
    }

    void onStart(SimulatedNode node) {
        for (Tracked each : sessions.values())
            if (node.table().read(each.key, record) && isLive(record) && each.sinceNs[node.index] < 0)
                hold(each, node.index, record);
    }

    /** The node begins to take packets. */
    void onTraffic(SimulatedNode node) {
        for (Tracked each : sessions.values()) {
            if (each.sinceNs[node.index] >= 0) continue;
            for (SimulatedNode peer : nodes) {
                long sinceNs = each.sinceNs[peer.index];
                if (peer == node || sinceNs < 0 || agenda.nowNs() - sinceNs < SETTLED_NS || !areTogether(node, peer)) continue;
                Conversation conversation = conversation(each.key);
                if (conversation == null || !conversation.mustLive()) continue;
                if (!peer.table().read(each.key, record) || !isHome(node, each.key, record) || !isHome(peer, each.key, record)) continue;
                fail(node + " takes packets before its table is equal: " + peer + " has " + conversation, conversation);
            }
        }
    }

    /** Both take packets, and what one knows the other can be told. */
    private boolean areTogether(SimulatedNode node, SimulatedNode peer) {
        if (!peer.takesTraffic()) return false;
        boolean expected = agenda.nowNs() >= disturbedUntilNs && node.cluster().view().contains(peer.id.value());
        return expected || peer.viewNumber() == node.viewNumber();
    }

    // Now and then

    /** Whether all nodes that are up are in one view, and all of those. */
    void lookAtViews() {
        long view = 0;
        int up = 0;
        boolean united = true;
        for (SimulatedNode each : nodes) {
            if (!each.isUp()) continue;
            if (up++ == 0) view = each.viewNumber();
            united &= each.viewNumber() == view && each.takesTraffic();
        }
        for (SimulatedNode each : nodes) united &= !each.isUp() || each.cluster().view().members().size() == up;
        if (!united) unitedSinceNs = Long.MAX_VALUE;
        else if (unitedSinceNs == Long.MAX_VALUE) unitedSinceNs = agenda.nowNs();
    }

    /** Members of one view that know the same of a session agree about its owner. */
    void checkOwners() {
        Map<List<Object>, List<SimulatedNode>> views = new LinkedHashMap<>();
        for (SimulatedNode each : nodes)
            if (each.isUp()) views.computeIfAbsent(List.of(each.viewNumber(), each.drainers()), same -> new ArrayList<>()).add(each);
        for (List<SimulatedNode> view : views.values()) for (Tracked each : sessions.values()) checkOwner(view, each);
    }

    private void checkOwner(List<SimulatedNode> view, Tracked tracked) {
        Map<List<Object>, List<SimulatedNode>> copies = new HashMap<>();
        Map<List<Object>, Integer> owners = new HashMap<>();
        for (SimulatedNode each : view) {
            if (tracked.sinceNs[each.index] < 0 || !each.table().read(tracked.key, record) || !isLive(record)) continue;
            List<Object> copy = List.of(Incarnation.of(record), record.owner());
            copies.computeIfAbsent(copy, one -> new ArrayList<>()).add(each);
            owners.merge(copy, each.owns(tracked.key, record) ? 1 : 0, Integer::sum);
        }
        for (Map.Entry<List<Object>, Integer> each : owners.entrySet()) {
            int count = each.getValue();
            List<SimulatedNode> holders = copies.getOrDefault(each.getKey(), List.of());
            boolean everybody = holders.size() == view.size() && holders.getFirst().cluster().view().members().size() == view.size();
            if (count > 1 || everybody && count == 0)
                fail(count + " of " + holders + " own " + name(tracked.key) + " in view " + view.getFirst().viewNumber(),
                        conversation(tracked.key));
        }
    }

    /** @param wellSinceNs since when nothing has been disturbed */
    void checkStalls(long wellSinceNs) {
        if (traffic == null) return;
        for (Conversation each : traffic.conversations()) {
            if (!(each instanceof TcpConversation tcp) || !tcp.mustLive()) continue;
            tcp.look(agenda.nowNs());
            if (tcp.waitsSinceNs() == Long.MAX_VALUE) continue;
            if (agenda.nowNs() - Math.max(tcp.waitsSinceNs(), wellSinceNs) > STALL_NS) fail("a connection stalls: " + tcp, tcp);
        }
    }

    /** Redirect mode: packets of an established session pass the same node, its owner, as long as nothing changes. */
    @Override
    public void onForwarded(Conversation conversation, SimulatedNode node) {
        if (!redirect || !conversation.mustLive()) return;
        long calmSinceNs = Math.max(unitedSinceNs, Math.max(disturbedUntilNs, ownersMoveUntilNs));
        if (unitedSinceNs == Long.MAX_VALUE || agenda.nowNs() - calmSinceNs < UNITED_NS) return;
        Forwarder before = forwarders.put(conversation.id, new Forwarder(node, agenda.nowNs()));
        if (before == null || before.node() == node || before.atNs() - calmSinceNs < UNITED_NS) return;
        fail(before.node() + " and " + node + " both forward packets of " + conversation, conversation);
    }

    @Override
    public void onEstablished(Conversation conversation, End seenAs) {
        Tracked tracked = sessions.get(conversation.keyHash);
        if (tracked == null || !tracked.isHeld()) conversation.loseByRight();
        established.put(conversation.id, seenAs);
    }

    /**
     * Parts that are separated, or do not hear each other in time, may each have opened the session, by two copies of one SYN, and translate it each in their own way; which of the two it is to be
     * is agreed upon when they meet. From then on it stays so.
     */
    @Override
    public void onTranslatedAnew(Conversation conversation, End seenAs, End now) {
        if (conversation.isOpenedTwice()) return;
        if (hasBeenUnited())
            onWrong(conversation, "the server knows the client as " + seenAs + ", and now a packet of it comes from " + now);
    }

    @Override
    public void onWrong(Conversation conversation, String what) {
        // Redirect mode: a packet that may open a session opens another one at a member that does not have it, and there it is translated in another way.
        if (!conversation.isOpenedTwice()) fail(what + ": " + conversation, conversation);
    }

    // In the end

    /** @return what still differs between the nodes, or null when they are equal */
    @Nullable
    String difference() {
        long view = nodes.getFirst().viewNumber();
        for (SimulatedNode each : nodes) {
            if (each.viewNumber() != view) return "the views of " + nodes.getFirst() + " and " + each + " differ";
            if (!each.takesTraffic()) return each + " takes no packets: " + each.gate().reason();
        }
        SessionRecord one = new SessionRecord();
        SessionRecord other = new SessionRecord();
        for (Tracked each : sessions.values()) {
            for (SimulatedNode node : nodes) {
                if (!node.table().read(each.key, one) || !isLive(one) || !isHome(node, each.key, one)) continue;
                for (SimulatedNode peer : nodes) {
                    if (!isHome(peer, each.key, one)) continue;
                    if (!peer.table().read(each.key, other) || !isLive(other))
                        return blame(each, node + " has, and " + peer + " has not, " + name(each.key));
                    if (!sameSession(one, other)) return blame(each, node + " and " + peer + " differ in " + name(each.key));
                }
            }
        }
        return null;
    }

    private String blame(Tracked tracked, String what) {
        Conversation conversation = conversation(tracked.key);
        if (conversation != null) subjects.add(conversation.id);
        return what;
    }

    private static boolean sameSession(SessionRecord a, SessionRecord b) {
        return Incarnation.of(a).equals(Incarnation.of(b)) && a.flags() == b.flags() && a.owner() == b.owner() && a.rule() == b.rule()
                && a.fromZone() == b.fromZone() && a.toZone() == b.toZone() && a.original().state() == b.original().state()
                && a.reply().state() == b.reply().state() && a.translation().mismatch(b.translation()) < 0;
    }

    void checkEnd() {
        String difference = difference();
        if (difference != null && violation == null) violation = "not equal after healing: " + difference;
        for (SimulatedNode each : nodes) {
            for (ClusterCounter never : List.of(ClusterCounter.LISTENER_FAILED, ClusterCounter.MESSAGES_MALFORMED,
                    ClusterCounter.MESSAGES_NOT_FROM_MEMBER, ClusterCounter.MERGES_FULL))
                if (each.count(never) > 0) fail(each + " counts " + never.label() + " = " + each.count(never), null);
        }
    }
}
