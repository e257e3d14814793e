package io.ambo.node.datapath;

import static io.ambo.node.packet.DropReason.NONE;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.node.firewall.Nat;
import io.ambo.node.firewall.NatRule;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Ends;
import io.ambo.node.packet.PacketView;

/**
 * What becomes of a packet's ends. A packet of a session is translated as the session says; one that would open a session, as the policy says. One for each
 * worker.
 *
 * <pre>
 *   original flow   client -> service     becomes   translated source -> translated destination
 *   reply flow      translated destination -> translated source     becomes   service -> client
 * </pre>
 *
 * <p>The session's key has the ends on the left; the table finds it by those on the right as well ({@link SessionTable#find}).
 */
final class Translation {
    /** Ports that are tried for a session until one is free. */
    private static final int ATTEMPTS = 128;

    private final SessionTable sessions;
    private final PacketView packet;
    private final Ends ends = new Ends();
    private final SessionRecord known = new SessionRecord();
    /** The ends that the packet came with; the ends that are claimed; the ends that an earlier life of the session had claimed. */
    private final SessionKey wire = new SessionKey();
    private final SessionKey claimed = new SessionKey();
    private final SessionKey former = new SessionKey();
    private boolean isKnown;
    private boolean isOfSession;
    private boolean isForeign;
    private boolean hasClaimed;
    private boolean hadFormer;

    Translation(SessionTable sessions, PacketView packet) {
        this.sessions = sessions;
        this.packet = packet;
    }

    /** The packet's ends when it leaves. */
    Ends ends() { return ends; }

    /** They are as a session says, and the policy has no say. */
    boolean isOfSession() { return isOfSession; }

    /** A packet of a session's two ends that its translation has no place for. */
    boolean isForeign() { return isForeign; }

    /** The table has, or has had, a session with these ends. */
    boolean isKnown() { return isKnown; }

    /** An answer to what a session was translated to, but this node does not know which: such addresses open nothing, and no route leads to them. */
    boolean isAnswer(Nat nat) {
        return !isOfSession && ends.areOf(packet) && nat.givesOut(packet.destinationHigh(), packet.destinationLow());
    }

    /** A packet of a session may have to be translated: without its session it must not go on. */
    boolean isInUse(Nat nat) {
        return nat.translates() || sessions.claims() > 0;
    }

    /**
     * Looks whether a session translates the packet.
     *
     * @param key becomes the key of the packet's session
     * @return true when the packet comes from the key's high end
     */
    boolean begin(SessionKey key) {
        ends.of(packet);
        isKnown = isOfSession = isForeign = hasClaimed = hadFormer = false;
        boolean sourceIsHigh = packet.writeKey(key, 0);
        if (sessions.claims() == 0) return sourceIsHigh;
        wire.copyFrom(key);
        SessionTable.Found found = sessions.find(wire, key, known);
        isKnown = found != SessionTable.Found.NOT;
        if (!isKnown) key.copyFrom(wire);
        if (!isKnown || !known.has(SessionRecord.TRANSLATED)) return sourceIsHigh;
        boolean originalIsHigh = known.has(SessionRecord.ORIGINAL_FROM_HIGH);
        if (found == SessionTable.Found.BY_OWN_ENDS) {
            beginOriginal(key, sourceIsHigh == originalIsHigh);
            return sourceIsHigh;
        }
        if (known.has(SessionRecord.CLOSED)) {
            // Its ends are free for whoever comes.
            sessions.release(wire, key);
            key.copyFrom(wire);
            isKnown = false;
            return sourceIsHigh;
        }
        beginReply(key, originalIsHigh);
        return !originalIsHigh;
    }

    private void beginOriginal(SessionKey key, boolean ofOriginal) {
        if (known.has(SessionRecord.CLOSED)) {
            known.writeTranslatedKey(key, former);
            hadFormer = true;
            return;
        }
        isForeign = !ofOriginal;
        isOfSession = ofOriginal;
        if (!ofOriginal) return;
        ends.source(known.translatedHigh(false), known.translatedLow(false), known.translatedPort(false))
                .destination(known.translatedHigh(true), known.translatedLow(true), known.translatedPort(true));
    }

    private void beginReply(SessionKey key, boolean originalIsHigh) {
        boolean fromServer = packet.sourceHigh() == known.translatedHigh(true) && packet.sourceLow() == known.translatedLow(true)
                && packet.sourcePort() == known.translatedPort(true);
        isForeign = !fromServer;
        isOfSession = fromServer;
        if (!fromServer) return;
        ends.source(key.addressHigh(!originalIsHigh), key.addressLow(!originalIsHigh), key.port(!originalIsHigh))
                .destination(key.addressHigh(originalIsHigh), key.addressLow(originalIsHigh), key.port(originalIsHigh));
    }

    /** Before the route: what the policy makes of the destination of a packet that would open a session. */
    void destination(Nat nat, int fromZone) {
        NatRule rule = nat.destination(fromZone, packet);
        if (rule == null) return;
        boolean keepsPort = rule.firstPort() == 0 || packet.isIcmp();
        ends.destination(rule.high(), rule.low(), keepsPort ? packet.destinationPort() : rule.firstPort());
    }

    /**
     * After the rules: what the policy makes of the source, and the ends are the session's from here on.
     *
     * @return NONE, or why there are none for it
     */
    DropReason claim(Nat nat, SessionKey key, int fromZone, int toZone) {
        NatRule rule = isOfSession ? null : nat.source(fromZone, toZone, packet, ends);
        if (rule == null) return ends.areOf(packet) ? NONE : claim(key, DropReason.NAT_ENDS_TAKEN);
        long low = rule.lowFor(packet.sourceHigh(), packet.sourceLow());
        boolean own = packet.sourcePort() >= rule.firstPort() && packet.sourcePort() <= rule.lastPort();
        // The same place for the same session every time, and another one for each: a client that comes again gets the port it had.
        int place = (int) Long.remainderUnsigned(key.hash(), rule.ports());
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            int port = own && attempt == 0 ? packet.sourcePort() : rule.firstPort() + (place + attempt) % rule.ports();
            ends.source(rule.high(), low, port);
            if (packet.isIcmp()) ends.destination(ends.destinationHigh(), ends.destinationLow(), port);
            DropReason refused = claim(key, DropReason.NAT_PORTS_EXHAUSTED);
            if (refused != DropReason.NAT_PORTS_EXHAUSTED) return refused;
        }
        return DropReason.NAT_PORTS_EXHAUSTED;
    }

    private DropReason claim(SessionKey key, DropReason taken) {
        claimed.set(ends.sourceHigh(), ends.sourceLow(), ends.sourcePort(), ends.destinationHigh(), ends.destinationLow(),
                ends.destinationPort(), packet.protocol(), 0);
        return switch (sessions.claim(claimed, key)) {
            case INSERTED -> {
                hasClaimed = true;
                yield NONE;
            }
            case EXISTS -> taken;
            case FULL -> DropReason.SESSION_LIMIT;
        };
    }

    /**
     * Whose share the ports are of: the one that opens the session, unless it goes on with the translation of its last life, which another may have given out. That one must know the
     * session as long as it lives ({@link io.ambo.cluster.membership.Homes}).
     *
     * @return node id
     */
    int giver(int opener) { return isOfSession ? known.creator() : opener; }

    /** Writes what {@link #claim} has decided into the record of a session that is about to open. */
    void writeTo(SessionRecord session) {
        if (!hasClaimed) return;
        session.translate(ends.sourceHigh(), ends.sourceLow(), ends.sourcePort(), ends.destinationHigh(), ends.destinationLow(),
                ends.destinationPort());
    }

    /** The session is open. */
    void settle(SessionKey key) {
        if (hadFormer && !(hasClaimed && former.sameAs(claimed))) sessions.release(former, key);
    }

    /** The session was not opened after all. What a peer has opened in its place may have the same ends. */
    void abandon(SessionKey key) {
        if (!hasClaimed) return;
        if (sessions.read(key, known) && known.has(SessionRecord.TRANSLATED)) {
            known.writeTranslatedKey(key, former);
            if (former.sameAs(claimed)) return;
        }
        sessions.release(claimed, key);
    }
}
