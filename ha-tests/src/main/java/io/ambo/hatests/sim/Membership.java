package io.ambo.hatests.sim;

import io.ambo.cluster.membership.NodeId;
import io.ambo.hatests.sim.SyncLink.GroupView;
import io.ambo.hatests.sim.SyncLink.Member;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Who is in whose view, by the rules of JGroups' membership: heartbeats and closed sockets make suspects; of a view's members the first that is not suspected
 * leaves them out; a newcomer is taken in by the first member it reaches; and every now and then somebody looks whether there are other parts, and merges
 * those that reach each other both ways. Views are told one by one, so that members differ for a while, and longer when a link is cut one way.
 */
final class Membership {
    /** As FD_ALL3 and VERIFY_SUSPECT2 are set: a member that is silent for so long is given up. */
    private static final long SILENCE_NS = 1060 * Agenda.MS;
    private static final long LOOK_EVERY_NS = 50 * Agenda.MS;
    private static final long MERGE_MIN_NS = 500 * Agenda.MS, MERGE_MAX_NS = 2 * Agenda.S;
    private static final long CRASH_SEEN_MIN_NS = 5 * Agenda.MS, CRASH_SEEN_MAX_NS = 600 * Agenda.MS;

    private final SyncLink link;
    private final Agenda agenda;
    private final EventLog log;
    private final SplittableRandom random;
    private final List<Member> members = new ArrayList<>();
    private final Map<Member, Map<Member, Long>> heard = new HashMap<>();
    private long numbers;
    private long views;
    private long merges;

    Membership(SyncLink link, Agenda agenda, EventLog log, SplittableRandom random) {
        this.link = link;
        this.agenda = agenda;
        this.log = log;
        this.random = random;
        agenda.in(LOOK_EVERY_NS, this::look);
        agenda.in(MERGE_MIN_NS, this::merge);
    }

    long views() { return views; }

    long merges() { return merges; }

    /** Members whose process runs. */
    List<Member> members() { return members; }

    // Joining and leaving

    void join(Member newcomer) {
        Member door = null;
        for (Member each : members) {
            if (door == null && !each.host.isPaused() && reachBothWays(each, newcomer)) door = coordinatorFor(each, newcomer);
        }
        members.add(newcomer);
        heard.put(newcomer, new HashMap<>());
        List<Member> all = new ArrayList<>(door == null ? List.of() : door.view().members());
        all.add(newcomer);
        GroupView view = new GroupView(++numbers, all);
        install(newcomer, view, List.of());
        if (door != null) tell(door, view, List.of());
    }

    private Member coordinatorFor(Member reached, Member newcomer) {
        for (Member each : reached.view().members())
            if (!each.gone && !each.host.isPaused() && reachBothWays(each, newcomer)) return each;
        return reached;
    }

    void onCrash(Member dead) {
        members.remove(dead);
        heard.remove(dead);
        for (Member each : members) {
            long seenNs = random.nextLong(CRASH_SEEN_MIN_NS, CRASH_SEEN_MAX_NS);
            if (!link.isCut(dead.node, each.node)) agenda.in(seenNs, () -> heardOf(each).put(dead, Long.MIN_VALUE / 2));
        }
    }

    void onLeave(Member leaver) {
        members.remove(leaver);
        heard.remove(leaver);
        for (Member each : members)
            if (!link.isCut(leaver.node, each.node)) agenda.in(link.delayNs(), () -> heardOf(each).put(leaver, Long.MIN_VALUE / 2));
    }

    // Failure detection

    private void look() {
        agenda.in(LOOK_EVERY_NS, this::look);
        for (Member each : List.copyOf(members)) if (!each.gone && !each.host.isPaused()) look(each);
    }

    private void look(Member of) {
        long nowNs = agenda.nowNs();
        Set<Member> suspects = new LinkedHashSet<>();
        for (Member each : of.view().members()) {
            if (each == of) continue;
            if (hears(of, each)) heardOf(of).put(each, nowNs);
            if (nowNs - heardOf(of).getOrDefault(each, nowNs) > SILENCE_NS) suspects.add(each);
        }
        if (suspects.isEmpty()) return;
        List<Member> left = new ArrayList<>(of.view().members());
        left.removeAll(suspects);
        if (left.getFirst() != of) return;
        GroupView view = new GroupView(++numbers, left);
        install(of, view, List.of());
        tell(of, view, List.of());
    }

    // Merging

    private void merge() {
        agenda.in(random.nextLong(MERGE_MIN_NS, MERGE_MAX_NS), this::merge);
        List<Member> awake = members.stream().filter(each -> !each.gone && !each.host.isPaused()).toList();
        if (awake.isEmpty()) return;
        Member leader = awake.get(random.nextInt(awake.size()));
        List<Member> reached = awake.stream().filter(each -> each == leader || reachBothWays(each, leader)).toList();
        Map<Long, List<Member>> parts = new LinkedHashMap<>();
        for (Member each : reached) parts.computeIfAbsent(each.view().number(), number -> new ArrayList<>()).add(each);
        if (parts.size() < 2) return;
        Set<Member> all = new LinkedHashSet<>();
        List<NodeId> firsts = new ArrayList<>();
        for (List<Member> part : parts.values()) {
            Member first = part.getFirst();
            for (Member each : first.view().members()) {
                if (!part.contains(each)) continue;
                first = each;
                break;
            }
            all.add(first);
            firsts.add(first.id);
        }
        for (List<Member> part : parts.values()) all.addAll(part);
        GroupView view = new GroupView(++numbers, List.copyOf(all));
        merges++;
        log.add(EventLog.CLUSTER, leader.id.name(), "merges " + parts.values());
        install(leader, view, firsts);
        tell(leader, view, firsts);
    }

    // Views

    private void tell(Member from, GroupView view, List<NodeId> parts) {
        for (Member each : view.members()) {
            if (each.gone) continue;
            agenda.in(link.delayNs() + random.nextLong(5 * Agenda.MS), () -> {
                if (!link.isCut(from.node, each.node)) each.host.run(() -> hear(each, from, view, parts));
            });
        }
    }

    /** A view from somebody who is no member is not listened to, unless it is a merged one. */
    private void hear(Member member, Member from, GroupView view, List<NodeId> parts) {
        if (!member.gone && member.number() > 0 && (!parts.isEmpty() || member.view().members().contains(from)))
            install(member, view, parts);
    }

    private void install(Member member, GroupView view, List<NodeId> parts) {
        if (member.gone || member.number() >= view.number() || !view.members().contains(member)) return;
        views++;
        for (Member each : view.members()) heardOf(member).put(each, agenda.nowNs());
        member.install(view, parts);
    }

    void forgetChannels(Member receiver) {
        for (Member each : members) if (each != receiver && !receiver.view().members().contains(each)) receiver.dropFrom(each);
    }

    void pumpTo(Member receiver) { for (Member each : List.copyOf(members)) if (each != receiver) each.pumpTo(receiver); }

    void pumpAll() { for (Member each : List.copyOf(members)) pumpTo(each); }

    private Map<Member, Long> heardOf(Member member) { return heard.computeIfAbsent(member, one -> new HashMap<>()); }

    private boolean hears(Member member, Member other) {
        return !other.gone && !other.host.isPaused() && !link.isCut(other.node, member.node);
    }

    private boolean reachBothWays(Member a, Member b) { return !link.isCut(a.node, b.node) && !link.isCut(b.node, a.node); }
}
