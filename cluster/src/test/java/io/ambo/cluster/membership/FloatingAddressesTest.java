package io.ambo.cluster.membership;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.Seed;
import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.membership.FloatingAddresses.Action;
import io.ambo.cluster.membership.FloatingAddresses.Candidate;
import io.ambo.cluster.membership.FloatingAddresses.Decision;
import io.ambo.cluster.membership.FloatingAddresses.Floating;
import io.ambo.cluster.membership.NodeState.AddressState;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class FloatingAddressesTest {
    private static final IpAddress ADDRESS = Objects.requireNonNull(IpAddress.parse("203.0.113.1"));
    private static final IpAddress SYNC = Objects.requireNonNull(IpAddress.parse("192.0.2.1"));
    private static final Floating FREE = new Floating(ADDRESS, ""), PREFERS_A = new Floating(ADDRESS, "a");

    /** A node, as one test wants it. */
    private static final class Node {
        final NodeId id;
        Standing standing = Standing.TALKS;
        boolean open = true, draining, leaving, linked = true, fit = true, held;
        long mac;

        Node(String name) {
            id = NodeId.of(name);
            mac = name.charAt(0);
        }

        Candidate candidate() { return candidate(standing); }

        Candidate candidate(Standing as) {
            return new Candidate(id, as, new NodeState(1, 1, open, draining, leaving, SYNC, 0, Set.of(),
                    List.of(new AddressState(ADDRESS, linked, fit, held, mac))));
        }
    }

    private final Node a = new Node("a");
    private final Node b = new Node("b");

    private Decision decide(Floating floating, Node local) { return decide(floating, local, Map.of()); }

    private Decision decide(Floating floating, Node local, Map<IpAddress, Long> answering) {
        return FloatingAddresses.decide(local.id, List.of(floating), List.of(a.candidate(), b.candidate()), answering).getFirst();
    }

    private void assertActions(Floating floating, Action ofA, Action ofB) {
        assertThat(List.of(decide(floating, a).action(), decide(floating, b).action()))
                .as(decide(floating, a) + " and " + decide(floating, b))
                .containsExactly(ofA, ofB);
    }

    @Test
    void nobodyHasItYetAndTheNodesAgreeWhoTakesIt() {
        Decision ofA = decide(FREE, a);
        Decision ofB = decide(FREE, b);
        assertThat(ofA.holder()).isEqualTo(ofB.holder()).isPositive();
        assertThat(Set.of(ofA.action(), ofB.action())).containsExactlyInAnyOrder(Action.TAKE, Action.LEAVE);
        assertActions(PREFERS_A, Action.TAKE, Action.LEAVE);
    }

    @Test
    void withoutPreferenceWhoHasItKeepsIt() {
        b.held = true;
        assertActions(FREE, Action.LEAVE, Action.KEEP);
    }

    @Test
    void thePreferredNodeTakesItAndThenTheOtherGivesItUp() {
        b.held = true;
        assertActions(PREFERS_A, Action.TAKE, Action.KEEP);
        a.held = true;
        assertActions(PREFERS_A, Action.KEEP, Action.RELEASE);
    }

    @Test
    void aNodeWhoseTableIsNotEqualDoesNotPreempt() {
        b.held = true;
        a.open = false;
        assertActions(PREFERS_A, Action.LEAVE, Action.KEEP);
        assertThat(decide(PREFERS_A, a).reason()).isEqualTo("this node's gate is closed");
    }

    @Test
    void theHostIsGoneAndTheOtherTakesIt() {
        a.held = true;
        a.standing = Standing.HOST_SILENT;
        assertThat(decide(PREFERS_A, b).action()).isEqualTo(Action.TAKE);
    }

    @Test
    void onlyTheProcessIsSilentAndTheAddressStays() {
        a.held = true;
        a.standing = Standing.PROCESS_SILENT;
        Decision decision = decide(FREE, b);
        assertThat(decision.action()).isEqualTo(Action.LEAVE);
        assertThat(decision.holder()).isEqualTo(a.id.value());
        assertThat(decision.reason()).isEqualTo("a has it: its host forwards, though its process is silent");
        a.standing = Standing.PROCESS_GONE;
        assertThat(decide(FREE, b).action()).isEqualTo(Action.TAKE);
    }

    @Test
    void whatTheSilentOneDoesNotHaveIsTaken() {
        a.standing = Standing.PROCESS_SILENT;
        assertThat(decide(PREFERS_A, b).action()).isEqualTo(Action.TAKE);
    }

    @Test
    void bothHaveItAfterAPauseAndOneGivesWay() {
        a.held = true;
        b.held = true;
        assertActions(PREFERS_A, Action.KEEP, Action.RELEASE);
        assertThat(Set.of(decide(FREE, a).action(), decide(FREE, b).action())).containsExactlyInAnyOrder(Action.KEEP, Action.RELEASE);
    }

    @Test
    void withoutALinkItIsGivenUpAtOnceAndTheOtherTakesIt() {
        a.held = true;
        a.linked = false;
        assertActions(PREFERS_A, Action.RELEASE, Action.TAKE);
    }

    @Test
    void whoDoesNotReachWhatIsTrackedHandsItOver() {
        a.held = true;
        a.fit = false;
        assertActions(PREFERS_A, Action.KEEP, Action.TAKE);
        b.held = true;
        assertActions(PREFERS_A, Action.RELEASE, Action.KEEP);
    }

    @Test
    void whenNobodyReachesItTheAddressStaysWhereItIs() {
        a.held = true;
        a.fit = false;
        b.fit = false;
        assertActions(FREE, Action.KEEP, Action.LEAVE);
    }

    @Test
    void aDrainingNodeHandsOverMakeBeforeBreak() {
        a.held = true;
        a.draining = true;
        assertActions(PREFERS_A, Action.KEEP, Action.TAKE);
        assertThat(decide(PREFERS_A, a).reason()).isEqualTo("until b has it");
        b.held = true;
        assertActions(PREFERS_A, Action.RELEASE, Action.KEEP);
        a.held = false;
        a.draining = false;
        assertActions(PREFERS_A, Action.TAKE, Action.KEEP);
    }

    @Test
    void aDrainingNodeKeepsWhatNobodyElseCanHave() {
        a.held = true;
        a.leaving = true;
        b.open = false;
        assertActions(FREE, Action.KEEP, Action.LEAVE);
    }

    @Test
    void aNodeThatRestartsKeepsWhatItFindsUntilTheOtherHasIt() {
        a.held = true;
        a.open = false;
        assertActions(PREFERS_A, Action.KEEP, Action.TAKE);
        b.standing = Standing.LEFT;
        assertThat(decide(PREFERS_A, a).action()).isEqualTo(Action.KEEP);
    }

    @Test
    void theSyncLinkAloneIsCutAndWhoAnswersOnTheNetworkKeepsIt() {
        a.held = true;
        a.standing = Standing.HOST_SILENT;
        assertThat(decide(FREE, b, Map.of(ADDRESS, a.mac)).action()).isEqualTo(Action.LEAVE);
        assertThat(decide(FREE, b, Map.of()).action()).isEqualTo(Action.TAKE);
    }

    @Test
    void bothHaveItAndCannotSpeakAndOneGivesWay() {
        a.held = true;
        b.held = true;
        for (Floating floating : List.of(FREE, PREFERS_A, new Floating(ADDRESS, "b"))) {
            b.standing = Standing.HOST_SILENT;
            a.standing = Standing.TALKS;
            Action ofA = decide(floating, a, Map.of(ADDRESS, b.mac)).action();
            a.standing = Standing.HOST_SILENT;
            b.standing = Standing.TALKS;
            Action ofB = decide(floating, b, Map.of(ADDRESS, a.mac)).action();
            assertThat(Set.of(ofA, ofB)).as("%s", floating).containsExactlyInAnyOrder(Action.KEEP, Action.RELEASE);
        }
    }

    @Test
    void aHandOverDoesNotAskTheNetwork() {
        b.held = true;
        assertThat(decide(PREFERS_A, a, Map.of(ADDRESS, b.mac)).action()).isEqualTo(Action.TAKE);
    }

    @Test
    void anAddressThatOnlyTheOtherConfiguresIsNobodysHere() {
        List<Decision> decisions = FloatingAddresses.decide(a.id, List.of(new Floating(SYNC, "")), List.of(a.candidate(), b.candidate()),
                Map.of());
        assertThat(decisions.getFirst().action()).isEqualTo(Action.LEAVE);
    }

    @Test
    void addressesWithoutPreferenceSpreadOverTheNodes() {
        Set<Integer> holders = new HashSet<>();
        List<Node> nodes = List.of(a, b, new Node("c"));
        for (int i = 1; i < 40; i++) {
            IpAddress address = Objects.requireNonNull(IpAddress.parse("203.0.113." + i));
            List<Candidate> candidates = nodes.stream().map(node -> new Candidate(node.id, Standing.TALKS,
                    new NodeState(1, 1, true, false, false, SYNC, 0, Set.of(), List.of(new AddressState(address, true, true, false, 1)))))
                    .toList();
            holders.add(FloatingAddresses.decide(a.id, List.of(new Floating(address, "")), candidates, Map.of()).getFirst().holder());
        }
        assertThat(holders).hasSize(3);
    }

    /**
     * Nodes that change at random, each acting on what it last heard of the others: when all has been still for a while there is one holder, if anybody can
     * have it at all.
     */
    @Test
    void whateverHappenedThereIsOneHolderInTheEnd() {
        SplittableRandom random = Seed.random("FloatingAddressesTest");
        for (int trial = 0; trial < 3000; trial++) {
            List<Node> nodes = new ArrayList<>(List.of(new Node("a"), new Node("b"), new Node("c")));
            Floating floating = new Floating(ADDRESS, List.of("", "a", "b", "gone").get(random.nextInt(4)));
            Map<String, Candidate> heard = new LinkedHashMap<>();
            for (int step = 0; step < 60; step++) {
                Node node = nodes.get(random.nextInt(nodes.size()));
                if (step < 30) {
                    switch (random.nextInt(6)) {
                        case 0 -> node.open = random.nextInt(4) > 0;
                        case 1 -> node.linked = random.nextInt(4) > 0;
                        case 2 -> node.fit = random.nextInt(3) > 0;
                        case 3 -> node.draining = random.nextInt(3) == 0;
                        case 4 -> node.held = random.nextBoolean();
                        default -> {
                        }
                    }
                }
                List<Node> turn = step < 30 ? List.of(node) : nodes;
                for (Node one : turn) act(floating, one, nodes, heard, step < 30 ? random.nextInt(3) : 0);
            }
            assertThat(nodes.stream().filter(node -> node.held && node.linked).count()).as("trial %d: %s", trial, heard)
                    .isEqualTo(nodes.stream().anyMatch(node -> node.linked && node.open) ? 1 : held(nodes));
        }
    }

    private static long held(List<Node> nodes) { return nodes.stream().filter(node -> node.held && node.linked).count(); }

    private static void act(Floating floating, Node local, List<Node> nodes, Map<String, Candidate> heard, int lost) {
        Map<NodeId, Candidate> candidates = new HashMap<>();
        for (Node other : nodes) {
            String way = other.id + ">" + local.id;
            if (lost == 0 || !heard.containsKey(way)) heard.put(way, other.candidate());
            candidates.put(other.id, Objects.requireNonNull(heard.get(way)));
        }
        candidates.put(local.id, local.candidate());
        switch (FloatingAddresses.decide(local.id, List.of(floating), candidates.values(), Map.of()).getFirst().action()) {
            case TAKE -> local.held = true;
            case RELEASE -> local.held = false;
            case KEEP, LEAVE -> {
            }
        }
    }
}
