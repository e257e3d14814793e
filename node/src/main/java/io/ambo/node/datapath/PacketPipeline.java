package io.ambo.node.datapath;

import static io.ambo.node.packet.DropReason.NONE;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionTable;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.io.FrameBatch;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Ends;
import io.ambo.node.packet.Fragments;
import io.ambo.node.packet.Glance;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Parser;
import io.ambo.node.packet.RateLimiter;
import io.ambo.node.redirect.Geneve;
import io.ambo.node.redirect.HandedFrame;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.NextHop;
import io.ambo.node.routing.Routes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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
 *                                                                 (redirect mode: hand it to the owner, or to one who knows the owner)
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
    private final Redirection redirection;
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
    /** The ends that the packet came with. */
    private final SessionKey handedEnds = new SessionKey();
    private final SessionKey glanced = new SessionKey();
    private final NextHop hop = new NextHop();
    private Policy policy;
    private long nowNs;
    private long nowMs;
    /** So that the compiler must load what there is no other use for. */
    @SuppressWarnings("UnusedVariable")
    private long foreseen;
    private boolean handed;
    /** The packet belongs to a session of this node. */
    private boolean isOurs;
    private int handedHops;
    private int handedIngress;
    private int handedSender;
    private boolean isAsked;
    private int handedZone;

    PacketPipeline(WorkerContext context, Policy policy) {
        this.policy = policy;
        io = context.io();
        routes = context.routes();
        sessions = context.sessions();
        log = context.log();
        drops = context.drops();
        counters = context.counters();
        packet = new PacketView();
        step = new SessionStep(packet, context, policy);
        replies = new Replies(io, routes, counters, context.limits().icmpErrorsPerSecond());
        forwarding = new Forwarding(context, this::onNeighbourReady);
        parking = new Parking(context, this::onUnparked, this::onParkedInVain, this::onDoubtOver);
        peer = context.strays();
        redirection = context.redirection();
        int redirectsPerSecond = context.limits().redirectsPerSecond();
        redirects = redirectsPerSecond == 0 ? null : new RateLimiter(redirectsPerSecond, redirectsPerSecond);
        translation = new Translation(sessions, packet);
        admission = new Admission(context, packet, translation);
        relatedError = new RelatedError(packet, context.fastPath(), redirection);
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

    /**
     * A burst has come in, that {@link #process} will take: what it needs of the session table is loaded for all at once. So the look-ups of a burst do not wait for memory one after the other, which
     * would make a worker slower the more it has to catch up with.
     */
    void foresee(FrameBatch burst) {
        int size = burst.size();
        MemorySegment memory = io.memory();
        long firstWords = 0;
        for (int i = 0; i < size; i++) firstWords += memory.get(ValueLayout.JAVA_LONG_UNALIGNED, burst.address(i));
        foreseen += firstWords;
        for (int i = 0; i < size; i++) if (Glance.writeKey(memory, burst.address(i), burst.length(i), glanced)) sessions.expect(glanced);
        sessions.fetch();
    }

    /** Takes a frame that has just come in. It belongs to the pipeline from here on. */
    void process(long frame, int length, int port) {
        counters.increment(NodeCounter.PACKETS_RECEIVED);
        finish(frame, walk(frame, length, port, Stray.MAY_PARK));
    }

    /** Takes a packet that another member has handed over, as a {@link HandedFrame}. */
    void processHanded(long frame, int length) {
        counters.increment(NodeCounter.PACKETS_RECEIVED);
        counters.increment(NodeCounter.STRAYS_TAKEN);
        finish(frame, walk(frame, length, HandedFrame.PORT, Stray.MAY_PARK));
    }

    /** There was no memory for a frame that a peer handed over. */
    void onNoFrame() { drops.increment(DropReason.NO_FRAME); }

    private DropReason walk(long frame, int length, int port, Stray stray) {
        DropReason malformed = Parser.parse(packet.wrap(io.memory(), frame, length));
        if (malformed != NONE) return malformed;
        readHanded(frame, port);
        // A segment that opens or ends a session must be what its sender wrote; in between, a damaged one is dropped by its receiver.
        if (!packet.isTcp() || packet.hasTcp(PacketView.SYN | PacketView.FIN | PacketView.RST)) {
            DropReason damaged = Parser.verifyTransportChecksum(packet);
            if (damaged != NONE) return damaged;
        }
        DataInterface ingress = ingress(port);
        if (isUnknown(ingress)) return DropReason.UNKNOWN_INTERFACE;
        if (!packet.isFragment()) return judge(ingress, port, stray);

        Fragments.Result result = fragments.judge(packet, port, nowNs);
        if (result == Fragments.Result.HELD) return NONE;
        if (result.reason() != NONE) return result.reason();
        // A later one has waited with its first one, and can be shown to the fragments once only.
        Stray mayBe = result == Fragments.Result.KNOWN && stray == Stray.MAY_PARK ? Stray.MAY_REDIRECT : stray;
        DropReason verdict = judge(ingress, port, mayBe);
        if (result == Fragments.Result.FIRST && !parking.hasJustParked()) fragments.settle(packet, verdict);
        return verdict;
    }

    /** Now, as the frame's own header is overwritten when it leaves. */
    private void readHanded(long frame, int port) {
        handed = port == HandedFrame.PORT;
        if (!handed) return;
        handedZone = HandedFrame.zone(io.memory(), frame);
        handedHops = HandedFrame.hops(io.memory(), frame);
        handedIngress = HandedFrame.ingress(io.memory(), frame);
        handedSender = HandedFrame.sender(io.memory(), frame);
        // Who has asked does not know the owner, whoever has answered by handing the packet on.
        isAsked = handedHops != Geneve.FINAL || handedSender != handedIngress;
    }

    /** Where the packet came in: here, or an interface of the same zone for one that another member has handed over. */
    private DataInterface ingress(int port) {
        return port == HandedFrame.PORT ? routes.inZone(handedZone) : routes.ingress(port, packet.vlan());
    }

    /** From the route to the wire, for a packet whose ports are known. */
    private DropReason judge(DataInterface ingress, int port, Stray mayBe) {
        parking.beginPacket();
        if (!handed) return judgeHere(ingress, port, mayBe);
        packet.writeKey(handedEnds, 0);
        DropReason verdict = judgeHere(ingress, port, ofHanded(mayBe));
        answerIngress(verdict);
        return verdict;
    }

    /** The first that is asked waits for the delta. The others pass the question on at once: it has waited long enough, and one of them is the owner. */
    private Stray ofHanded(Stray mayBe) {
        return switch (handedHops) {
            case Geneve.FINAL, Geneve.LAST -> Stray.MUST_DROP;
            case Geneve.ASK_AGAIN -> mayBe == Stray.MAY_PARK ? Stray.MAY_REDIRECT : mayBe;
            default -> mayBe;
        };
    }

    /** Who has asked learns whose such packets are, and who was sure and wrong learns that: then its kernel does it, or does it no more. */
    private void answerIngress(DropReason verdict) {
        if (!redirection.isOn() || handedIngress == redirection.local() || packet.isFragment() || packet.isIcmpError()
                || parking.hasJustParked())
            return;
        if (verdict == NONE && isOurs && isAsked) redirection.tell(handedIngress, handedEnds, true);
        boolean unknown = verdict == DropReason.STRAY || verdict == DropReason.NOT_THE_OWNER;
        if (unknown && !isAsked) redirection.tell(handedIngress, handedEnds, false);
    }

    private DropReason judgeHere(DataInterface ingress, int port, Stray stray) {
        isOurs = false;
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
        // Another member's session may have its way there.
        if (unroutable != NONE && (!redirection.isOn() || admission.isOpener())) return answer(unroutable, ingress, port);
        DropReason obstacle = unroutable == NONE ? forwarding.obstacle(packet, hop) : unroutable;

        int epoch = Admission.FIRST_LIFE;
        if (sessions.update(key,
                step.prepare(sourceIsHigh, obstacle, handed, handed && handedHops == Geneve.LAST ? handedSender : 0,
                        stray != Stray.MUST_DROP, nowMs))) {
            switch (step.outcome()) {
                case PASS -> {
                    if (step.isForPeer() && redirect(ingress)) return NONE;
                    isOurs = true;
                    return forward(translation.ends(), route, ingress, port);
                }
                case REFUSED -> {
                    if (step.peerKnowsMore() && stray != Stray.MUST_DROP && redirect(ingress)) return NONE;
                    if (step.isInDoubt() && mayBeRight(stray, ingress, port)) return NONE;
                    if (step.isUndecided()) return judgeHere(ingress, port, Stray.MUST_DROP);
                    return answer(step.reason(), ingress, port);
                }
                case ELSEWHERE -> {
                    return handToOwner(step.owner(), ingress);
                }
                case OVER -> epoch = step.epoch() + 1;
                case NOT_PART -> {
                    return DropReason.STRAY;
                }
            }
        }

        if (unroutable != NONE) {
            if (mayComeHome(stray, ingress, port)) return NONE;
            return stray == Stray.MAY_PARK ? parking.refusal() : answer(unroutable, ingress, port);
        }
        Rule rule = policy.judge(ingress.zone(), hop.egress.zone(), packet, translation.ends());
        boolean nobodyElse = stray == Stray.MUST_DROP || parking.isPointless();
        DropReason refused = admission.judge(rule, nobodyElse);
        if (refused == DropReason.STRAY && !nobodyElse) {
            // Of a session that is over it is late, or early for the next life, which a peer has opened.
            boolean isHome = epoch == Admission.FIRST_LIFE ? mayComeHome(stray, ingress, port) : mayBeRight(stray, ingress, port);
            if (isHome) return NONE;
            if (stray == Stray.MAY_PARK && epoch == Admission.FIRST_LIFE) return parking.refusal();
            refused = admission.judge(rule, true);
        }
        if (refused == DropReason.STRAY) refused = rule.action() == Rule.Action.REJECT ? DropReason.RULE_REJECT : DropReason.STRAY;
        if (refused == NONE) refused = obstacle;
        if (refused == NONE) refused = admission.open(policy, rule, key, sourceIsHigh, epoch, ingress.zone(), hop.egress.zone(), nowMs);
        if (refused == NONE && admission.hasLostRace()) {
            // The delta of a peer came between the look-up and the insertion: the session is there now, and this packet is one of its own.
            return judgeHere(ingress, port, Stray.MUST_DROP);
        }
        if (refused != NONE) {
            if (rule.log()) log.write(packet, rule, refused);
            return answer(refused, ingress, port);
        }
        isOurs = true;
        if (redirection.isOn()) redirection.unlearn(key);
        if (admission.ticket() > 0 && forwarding.defer(packet, port, admission.ticket(), nowNs)) return NONE;
        return forward(translation.ends(), route, ingress, port);
    }

    /** An ICMP error goes where the packet came from that it is about, and speaks of it by the ends that it had there. */
    private DropReason judgeError(DataInterface ingress, int port, Stray stray) {
        DropReason unrelated = relatedError.judge(sessions, key);
        if (relatedError.elsewhere() != 0) return handToOwner(relatedError.elsewhere(), ingress);
        if (unrelated == DropReason.ICMP_ERROR_WITHOUT_SESSION && mayComeHome(stray, ingress, port)) return NONE;
        if (unrelated != NONE) return unrelated;
        Routes.Result route = forwarding.route(packet, relatedError.ends(), hop);
        DropReason unroutable = forwarding.refusal(route);
        if (unroutable == NONE) unroutable = forwarding.obstacle(packet, hop);
        if (unroutable != NONE) return answer(unroutable, ingress, port);
        if (route != Routes.Result.PENDING) relatedError.translate();
        return forward(relatedError.ends(), route, ingress, port);
    }

    /**
     * Sync mode: parks the stray, and when it has been parked in vain hands it to the peer. Redirect mode: hands it to one who knows, and parks it if that is this
     * node, as then its delta is on the way. @return true when it is on its way
     */
    private boolean mayComeHome(Stray stray, DataInterface ingress, int port) {
        return switch (stray) {
            case MAY_PARK -> redirection.isOn() && ask(ingress) || parking.park(packet, port, key, nowNs);
            case MAY_REDIRECT -> redirection.isOn() ? ask(ingress) || askAnother(ingress) : redirect(ingress);
            case MUST_DROP -> false;
        };
    }

    /**
     * Sync mode: holds a segment that was refused by what may be old knowledge, and asks the peer when no delta has come. Redirect mode: the session that is over
     * may have begun anew at another member. @return true when it is on its way
     */
    private boolean mayBeRight(Stray stray, DataInterface ingress, int port) {
        return switch (stray) {
            case MAY_PARK -> redirection.isOn() && ask(ingress) || parking.doubt(packet, port, key, nowNs);
            case MAY_REDIRECT -> redirection.isOn() ? ask(ingress) || askAnother(ingress) : step.mayAskPeer() && redirect(ingress);
            case MUST_DROP -> false;
        };
    }

    private boolean redirect(DataInterface ingress) {
        if (redirects == null || !redirects.tryAcquire(nowNs)) return false;
        boolean opens = packet.isTcp() && packet.fragmentOffset() == 0 && packet.hasTcp(PacketView.SYN);
        if (!peer.send(key.hash(), ingress.zone(), opens, io.memory(), packet.ip(), packet.ipLength())) return false;
        counters.increment(NodeCounter.STRAYS_REDIRECTED);
        io.giveFrame(packet.frame());
        return true;
    }

    /** Sends a stray that came in here to its owner, if that has told of itself, or else to the member that knows the owner. */
    private boolean ask(DataInterface ingress) {
        if (handed) return false;
        int owner = redirection.learnt(key);
        if (owner != 0) return hand(owner, ingress, Geneve.FINAL, NodeCounter.REDIRECTED);
        int director = redirection.director(key.hash());
        return director != redirection.local() && hand(director, ingress, Geneve.ASK, NodeCounter.STRAYS_REDIRECTED);
    }

    /** This node should know, and does not: the owner itself, or one that was in this one's place before, is further down the hash's order. */
    private boolean askAnother(DataInterface ingress) {
        if (isForOwner()) return false;
        int other = redirection.nextDirector(key.hash(), handed ? handedIngress : redirection.local());
        return other != 0 && hand(other, ingress, Geneve.ASK_AGAIN, NodeCounter.STRAYS_REDIRECTED);
    }

    private DropReason handToOwner(int owner, DataInterface ingress) {
        if (isForOwner()) return correct(owner, ingress);
        if (!handed && !packet.isFragment() && !packet.isIcmpError()) {
            packet.writeKey(handedEnds, 0);
            if (redirection.learnt(handedEnds) != owner) redirection.learn(handedEnds, owner);
        }
        return hand(owner, ingress, Geneve.FINAL, NodeCounter.REDIRECTED) ? NONE : DropReason.REDIRECT_FAILED;
    }

    /** Who handed the packet over was sure whose it is. */
    private boolean isForOwner() { return handed && handedHops >= Geneve.FINAL; }

    /** It was this node's session until a moment ago: who handed the packet over has yet to hear of it. Once, or two members that disagree would play ball. */
    private DropReason correct(int owner, DataInterface ingress) {
        if (handedHops == Geneve.LAST) return DropReason.NOT_THE_OWNER;
        if (!packet.isFragment() && !packet.isIcmpError() && !isAsked) redirection.tell(handedIngress, handedEnds, false);
        return hand(owner, ingress, Geneve.LAST, NodeCounter.REDIRECTED) ? NONE : DropReason.REDIRECT_FAILED;
    }

    private boolean hand(int member, DataInterface ingress, int hops, NodeCounter counter) {
        if (hops < Geneve.FINAL && (redirects == null || !redirects.tryAcquire(nowNs))) return false;
        int zone = handed ? handedZone : ingress.zone();
        int from = handed ? handedIngress : redirection.local();
        if (!redirection.send(member, zone, from, hops, io.memory(), packet.ip(), packet.ipLength())) return false;
        counters.increment(counter);
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

    /** Whatever there was to learn has been learnt. */
    private void onDoubtOver(long frame, int length, int port) {
        finish(frame, walk(frame, length, port, Stray.MAY_REDIRECT));
    }

    /** A fragment whose first one has passed; its ports are known by now. */
    private void onFragmentReleased(long frame, int length, int port, int protocol, int sourcePort, int destinationPort) {
        Parser.parse(packet.wrap(io.memory(), frame, length));
        packet.belongsTo(protocol, sourcePort, destinationPort);
        readHanded(frame, port);
        DataInterface ingress = ingress(port);
        finish(frame, isUnknown(ingress) ? DropReason.UNKNOWN_INTERFACE : judge(ingress, port, Stray.MAY_REDIRECT));
    }

    /** The packet was judged before it waited for its next hop (or for its peer): only the way out is left. */
    private void onNeighbourReady(long frame, int length, int port) {
        DropReason malformed = Parser.parse(packet.wrap(io.memory(), frame, length));
        readHanded(frame, port);
        finish(frame, malformed == NONE ? goOn(port) : malformed);
    }

    private DropReason goOn(int port) {
        DataInterface ingress = ingress(port);
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
