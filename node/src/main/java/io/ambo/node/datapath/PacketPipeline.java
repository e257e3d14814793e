package io.ambo.node.datapath;

import static io.ambo.node.packet.DropReason.NONE;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.StrayOutlet;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionTable;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Ends;
import io.ambo.node.packet.Fragments;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Parser;
import io.ambo.node.packet.RateLimiter;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.NextHop;
import io.ambo.node.routing.Routes;
import org.jspecify.annotations.Nullable;

/**
 * A packet's way through the slow path, on one page. Every branch is here, in order; what it calls computes and does not decide. Owned by one worker;
 * allocates nothing, never waits.
 *
 * <pre>
 *   parse -> interface -> fragments -> translate -> route -> session? --yes--> step it ---------> forward
 *                                                  |no                                               ^
 *                                                  +--> may it open one? --yes--> limits, open ------+
 *                                                            |no
 *                                                            +--> stray: park until its delta comes, then again from the top;
 *                                                                 in vain: hand it to the peer
 * </pre>
 *
 * <p>Each step answers with a {@link DropReason}; NONE means that the frame has gone on: sent, or held by one of the queues.
 */
final class PacketPipeline {
    /** What may still be tried with a packet whose session this node does not know. */
    private enum Stray {
        MAY_PARK, MAY_REDIRECT, MUST_DROP
    }

    private final PacketIo io;
    private final Routes routes;
    private final SessionTable sessions;
    private final Admission admission;
    private final Forwarding forwarding;
    private final Parking parking;
    private final StrayOutlet peer;
    private final @Nullable RateLimiter redirects;
    private final Replies replies;
    private final PacketView packet;
    private final SessionStep step;
    private final Translation translation;
    private final RelatedError relatedError;
    private final FragmentGate fragments;
    private final CounterBank<DropReason>.Row drops;
    private final CounterBank<NodeCounter>.Row counters;
    private final FirewallLog log;
    private final SessionKey key = new SessionKey();
    private final NextHop hop = new NextHop();
    private Policy policy;
    private long nowNs;
    private long nowMs;

    PacketPipeline(WorkerContext context, Policy policy) {
        this.policy = policy;
        io = context.io();
        routes = context.routes();
        sessions = context.sessions();
        log = context.log();
        drops = context.drops();
        counters = context.counters();
        packet = new PacketView();
        step = new SessionStep(packet, context.publisher(), context.fastPath(), context.hasPeers(), policy);
        replies = new Replies(io, counters, context.limits().icmpErrorsPerSecond());
        forwarding = new Forwarding(context, this::onNeighbourReady);
        parking = new Parking(context, this::onUnparked, this::onParkedInVain);
        peer = context.strays();
        int redirectsPerSecond = context.limits().redirectsPerSecond();
        redirects = redirectsPerSecond == 0 ? null : new RateLimiter(redirectsPerSecond, redirectsPerSecond);
        translation = new Translation(sessions, packet);
        admission = new Admission(context, packet, translation);
        relatedError = new RelatedError(packet, context.fastPath());
        fragments = new FragmentGate(context, this::onFragmentReleased);
    }

    /** The worker's clock, read once for each turn. */
    void tick(long newNowNs) {
        nowNs = newNowNs;
        nowMs = newNowNs / 1_000_000;
    }

    /** A reload took place: from the next packet on the new policy decides. */
    void policy(Policy newPolicy) {
        policy = newPolicy;
        step.policy(newPolicy);
    }

    /** Takes a frame that has just come in. It belongs to the pipeline from here on. */
    void process(long frame, int length, int port) {
        counters.increment(NodeCounter.PACKETS_RECEIVED);
        finish(frame, walk(frame, length, port, Stray.MAY_PARK));
    }

    /** Takes a frame that a peer handed over because it does not know the session; it came from this zone there. */
    void processStray(long frame, int length, int zone) {
        counters.increment(NodeCounter.PACKETS_RECEIVED);
        counters.increment(NodeCounter.STRAYS_TAKEN);
        DropReason malformed = Parser.parse(packet.wrap(io.memory(), frame, length));
        if (malformed == NONE && !packet.isFragment()) malformed = Parser.verifyTransportChecksum(packet);
        DataInterface ingress = routes.inZone(zone);
        if (malformed != NONE) finish(frame, malformed);
        else
            finish(frame, isUnknown(ingress) ? DropReason.UNKNOWN_INTERFACE : judge(ingress, ingress.port(), Stray.MUST_DROP));
    }

    /** There was no memory for a frame that a peer handed over. */
    void onNoFrame() { drops.increment(DropReason.NO_FRAME); }

    private DropReason walk(long frame, int length, int port, Stray stray) {
        DropReason malformed = Parser.parse(packet.wrap(io.memory(), frame, length));
        if (malformed != NONE) return malformed;
        // A segment that opens or ends a session must be what its sender wrote; in between, a damaged one is dropped by its receiver.
        if (!packet.isTcp() || packet.hasTcp(PacketView.SYN | PacketView.FIN | PacketView.RST)) {
            DropReason damaged = Parser.verifyTransportChecksum(packet);
            if (damaged != NONE) return damaged;
        }
        DataInterface ingress = routes.ingress(port, packet.vlan());
        if (isUnknown(ingress)) return DropReason.UNKNOWN_INTERFACE;
        if (!packet.isFragment()) return judge(ingress, port, stray);

        Fragments.Result result = fragments.judge(packet, port, nowNs);
        if (result == Fragments.Result.HELD) return NONE;
        if (result.reason() != NONE) return result.reason();
        DropReason verdict = judge(ingress, port, stray);
        if (result == Fragments.Result.FIRST && !parking.hasJustParked()) fragments.settle(packet, verdict);
        return verdict;
    }

    /** From the route to the wire, for a packet whose ports are known. */
    private DropReason judge(DataInterface ingress, int port, Stray stray) {
        parking.beginPacket();
        if (packet.isIcmpError()) return judgeError(ingress, port, stray);

        boolean sourceIsHigh = translation.begin(key);
        if (translation.isForeign()) return DropReason.STRAY;
        if (!translation.isOfSession() && admission.isOpener()) translation.destination(policy.nat(), ingress.zone());
        if (translation.isAnswer(policy.nat())) {
            if (mayComeHome(stray, ingress, port)) return NONE;
            return stray == Stray.MAY_PARK ? parking.refusal() : DropReason.STRAY;
        }
        Routes.Result route = forwarding.route(packet, translation.ends(), hop);
        DropReason unroutable = forwarding.refusal(route);
        if (unroutable != NONE) return answer(unroutable, ingress, port);
        DropReason obstacle = forwarding.obstacle(packet, hop);

        int epoch = Admission.FIRST_LIFE;
        if (sessions.update(key, step.prepare(sourceIsHigh, obstacle, nowMs))) {
            switch (step.outcome()) {
                case PASS -> {
                    return forward(translation.ends(), route, ingress, port);
                }
                case REFUSED -> {
                    if (step.peerKnowsMore() && stray != Stray.MUST_DROP && redirect(ingress)) return NONE;
                    return answer(step.reason(), ingress, port);
                }
                case OVER -> epoch = step.epoch() + 1;
                case NOT_PART -> {
                    return DropReason.STRAY;
                }
            }
        }

        Rule rule = policy.judge(ingress.zone(), hop.egress.zone(), packet, translation.ends());
        boolean nobodyElse = stray == Stray.MUST_DROP || parking.isPointless();
        DropReason refused = admission.judge(rule, nobodyElse);
        if (refused == DropReason.STRAY && !nobodyElse && epoch == Admission.FIRST_LIFE && packet.fragmentOffset() == 0) {
            if (mayComeHome(stray, ingress, port)) return NONE;
            if (stray == Stray.MAY_PARK) return parking.refusal();
            refused = admission.judge(rule, true);
        }
        if (refused == DropReason.STRAY) refused = rule.action() == Rule.Action.REJECT ? DropReason.RULE_REJECT : DropReason.STRAY;
        if (refused == NONE) refused = obstacle;
        if (refused == NONE) refused = admission.open(policy, rule, key, sourceIsHigh, epoch, ingress.zone(), hop.egress.zone(), nowMs);
        if (refused == NONE && admission.hasLostRace()) {
            // The delta of a peer came between the look-up and the insertion: the session is there now, and this packet is one of its own.
            return judge(ingress, port, Stray.MUST_DROP);
        }
        if (refused != NONE) {
            if (rule.log()) log.write(packet, rule, refused);
            return answer(refused, ingress, port);
        }
        if (admission.ticket() > 0 && forwarding.defer(packet, port, admission.ticket(), nowNs)) return NONE;
        return forward(translation.ends(), route, ingress, port);
    }

    /** An ICMP error goes where the packet came from that it is about, and speaks of it by the ends that it had there. */
    private DropReason judgeError(DataInterface ingress, int port, Stray stray) {
        DropReason unrelated = relatedError.judge(sessions, key);
        if (unrelated == DropReason.ICMP_ERROR_WITHOUT_SESSION && mayComeHome(stray, ingress, port)) return NONE;
        if (unrelated != NONE) return unrelated;
        Routes.Result route = forwarding.route(packet, relatedError.ends(), hop);
        DropReason unroutable = forwarding.refusal(route);
        if (unroutable == NONE) unroutable = forwarding.obstacle(packet, hop);
        if (unroutable != NONE) return answer(unroutable, ingress, port);
        if (route != Routes.Result.PENDING) relatedError.translate();
        return forward(relatedError.ends(), route, ingress, port);
    }

    /** Parks the stray, or hands it to the peer when it has been parked in vain. @return true when it is on its way */
    private boolean mayComeHome(Stray stray, DataInterface ingress, int port) {
        return switch (stray) {
            case MAY_PARK -> parking.park(packet, port, key, nowNs);
            case MAY_REDIRECT -> redirect(ingress);
            case MUST_DROP -> false;
        };
    }

    private boolean redirect(DataInterface ingress) {
        if (packet.isFragment() || redirects == null || !redirects.tryAcquire(nowNs)) return false;
        if (!peer.send(key.hash(), ingress.zone(), io.memory(), packet.frame(), packet.frameLength())) return false;
        counters.increment(NodeCounter.STRAYS_REDIRECTED);
        io.giveFrame(packet.frame());
        return true;
    }

    /** A packet that waits for its neighbour waits as it came: it may have to be answered. */
    private DropReason forward(Ends ends, Routes.Result route, DataInterface ingress, int port) {
        if (route == Routes.Result.PENDING) return forwarding.awaitNeighbour(packet, port, nowNs);
        ends.writeTo(packet);
        DropReason unsent = forwarding.send(packet, hop);
        return unsent == NONE ? NONE : answer(unsent, ingress, port);
    }

    /** Tells the sender what it should know of the refusal. */
    private DropReason answer(DropReason refused, DataInterface ingress, int port) {
        replies.answer(refused, packet, ingress, port, hop.mtu, nowNs);
        return refused;
    }

    private static boolean isUnknown(DataInterface ingress) { return ingress.port() < 0; }

    private void finish(long frame, DropReason verdict) {
        if (verdict == NONE) return;
        drops.increment(verdict);
        io.giveFrame(frame);
    }

    // Frames that come back from the queues

    private void onUnparked(long frame, int length, int port) { finish(frame, walk(frame, length, port, Stray.MUST_DROP)); }

    private void onParkedInVain(long frame, int length, int port) { finish(frame, walk(frame, length, port, Stray.MAY_REDIRECT)); }

    /** A fragment whose first one has passed; its ports are known by now. */
    private void onFragmentReleased(long frame, int length, int port, int protocol, int sourcePort, int destinationPort) {
        Parser.parse(packet.wrap(io.memory(), frame, length));
        packet.belongsTo(protocol, sourcePort, destinationPort);
        DataInterface ingress = routes.ingress(port, packet.vlan());
        finish(frame, isUnknown(ingress) ? DropReason.UNKNOWN_INTERFACE : judge(ingress, port, Stray.MUST_DROP));
    }

    /** The packet was judged before it waited for its next hop (or for its peer): only the way out is left. */
    private void onNeighbourReady(long frame, int length, int port) {
        DropReason malformed = Parser.parse(packet.wrap(io.memory(), frame, length));
        finish(frame, malformed == NONE ? goOn(port) : malformed);
    }

    private DropReason goOn(int port) {
        DataInterface ingress = routes.ingress(port, packet.vlan());
        if (packet.isIcmpError()) return judgeError(ingress, port, Stray.MUST_DROP);
        translation.begin(key);
        if (!translation.isKnown() && translation.isInUse(policy.nat())) return DropReason.STRAY;
        Routes.Result route = forwarding.route(packet, translation.ends(), hop);
        DropReason unroutable = forwarding.refusal(route);
        return unroutable == NONE ? forward(translation.ends(), route, ingress, port) : answer(unroutable, ingress, port);
    }

    // What the worker calls between bursts

    /** Releases what has waited long enough. @return packets released */
    int onTimers() {
        return fragments.onTimer(nowNs) + parking.onTimer(nowNs) + forwarding.onTimer(nowNs);
    }

    /** A delta was applied on this node. */
    int onDeltaApplied(long keyHash) { return parking.onDeltaApplied(keyHash); }

    /** A peer has the session whose first packet was deferred with this ticket. */
    int onAcknowledged(long ticket) {
        return forwarding.onAcknowledged(ticket);
    }

    /** Sends an RST to both ends of a session that timed out. */
    void reset(ResetCommand command) { forwarding.reset(command, hop); }

    /** Nanoseconds until the next timer. */
    long nextTimerInNs() {
        return Math.min(Math.min(parking.nextTimerInNs(nowNs), forwarding.nextTimerInNs(nowNs)), fragments.nextTimerInNs());
    }

    boolean awaitsDeltas() { return parking.awaitsDeltas(); }
}
