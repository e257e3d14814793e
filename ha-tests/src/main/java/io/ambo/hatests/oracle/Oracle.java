package io.ambo.hatests.oracle;

import io.ambo.cluster.ClusterException;
import io.ambo.cluster.session.InMemorySessionTable;
import io.ambo.cluster.session.SessionTable;
import io.ambo.node.config.Config;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Asks whether a pair is one device: plays a script through one node, then through a pair again and again, each time with the packets dealt anew, and compares
 * what became of each packet.
 *
 * <p>One node is asked twice: with its exact windows, and with the slack that knowledge from deltas must be given ({@link Forgetful}). Where both agree, the pair
 * has to do the same; a segment outside the window and inside the slack it may pass or drop.
 */
final class Oracle {
    /** How packets come to nodes. */
    enum Deal {
        /** Each to any. */
        PACKET,
        /** Each flow to one of them: two flows of a session meet in half of the cases. */
        FLOW
    }

    /**
     * @param seed     of everything random; deal n has seed + n
     * @param deals    how many
     * @param deal     packets or flows
     * @param delayNs  that a delta takes at most
     * @param loss     part of the messages between the nodes that is lost at each try
     */
    record Settings(long seed, int deals, Deal deal, long delayNs, double loss) {}

    /**
     * The first packet of a deal that the pair treated otherwise.
     *
     * @param seed    of the deal
     * @param what    differs
     * @param one     what one node did
     * @param pair    what the pair did
     * @param history of the packet's session in the pair
     */
    record Difference(long seed, Step step, String what, Outcome one, Outcome pair, List<String> history) {}

    /**
     * @param passed     packets that one node passed
     * @param dropped    packets that it dropped
     * @param translated packets that it translated
     * @param deals      played
     * @param withinSlack verdicts of pairs that only the slack allows
     * @param deltas     messages between the nodes, in all deals
     * @param lost       of these, at first
     * @param first      the first difference of the first deal that had one
     */
    record Answer(int passed, int dropped, int translated, int deals, int withinSlack, long deltas, long lost,
            Optional<Difference> first) {}

    private static final String[] PAIR = { "a", "b" };

    private final Script script;
    private final Config config;
    private final Sides sides;
    private final Settings settings;
    private long deltas;
    private long lost;
    private int withinSlack;

    Oracle(Script script, Config config, Sides sides, Settings settings) {
        this.script = script;
        this.config = config;
        this.sides = sides;
        this.settings = settings;
    }

    Answer ask() throws ClusterException {
        Outcome[] exact = alone(false);
        Outcome[] slack = alone(true);
        int played = 0;
        Optional<Difference> first = Optional.empty();
        while (played < settings.deals() && first.isEmpty()) first = play(settings.seed() + played++, exact, slack);
        int passed = 0;
        int translated = 0;
        for (Outcome outcome : exact) {
            if (outcome.passed()) passed++;
            if (outcome.translation() != null) translated++;
        }
        return new Answer(passed, exact.length - passed, translated, played, withinSlack, deltas, lost, first);
    }

    private Outcome[] alone(boolean withSlack) throws ClusterException {
        ReplayClock clock = new ReplayClock();
        SessionTable table = new InMemorySessionTable(config.limits().sessions());
        ReplayNode node = new ReplayNode(named(PAIR[0]), sides, withSlack ? new Forgetful(table) : table, clock, script.longestFrame(),
                null,
                new SplittableRandom(0));
        Replay replay = new Replay(script, sides, clock, List.of(node), null, step -> 0, null);
        replay.start();
        return replay.run();
    }

    private Optional<Difference> play(long seed, Outcome[] exact, Outcome[] slack) throws ClusterException {
        Outcome[] pair = pair(seed, null, true);
        Map<Flow, Flow> ports = new HashMap<>();
        for (int i = 0; i < pair.length; i++) {
            Step step = script.steps().get(i);
            String what = pair[i].differenceFrom(exact[i]);
            if (!what.isEmpty() && pair[i].differenceFrom(slack[i]).isEmpty()) {
                withinSlack++;
                what = "";
            }
            if (what.isEmpty()) what = samePort(step, exact[i], pair[i], ports);
            if (!what.isEmpty()) return Optional.of(new Difference(seed, step, what, exact[i], pair[i], history(seed, step)));
        }
        return Optional.empty();
    }

    /** Members of a pair give out different ports, but to one session always the same. */
    private static String samePort(Step step, Outcome one, Outcome pair, Map<Flow, Flow> ports) {
        Flow flow = step.flow();
        Flow translation = pair.translation();
        // A fragment without ports may leave before the one that has them.
        if (flow == null || translation == null || step.isLater()) return "";
        Flow before = one.hasOpened() ? null : ports.get(flow);
        ports.put(flow, translation);
        return before == null || before.equals(translation) ? "" : "the port in the midst of a session: it was " + before.sourcePort();
    }

    private List<String> history(long seed, Step step) throws ClusterException {
        Flow conversation = step.conversation();
        if (conversation == null) return List.of();
        History history = new History(conversation, step.index());
        pair(seed, history, false);
        return history.lines();
    }

    private Outcome[] pair(long seed, @Nullable History history, boolean count) throws ClusterException {
        SplittableRandom random = new SplittableRandom(seed);
        ReplayClock clock = new ReplayClock();
        SyncLink link = new SyncLink(clock, random.split());
        List<ReplayNode> nodes = new ArrayList<>();
        for (String name : PAIR)
            nodes.add(new ReplayNode(named(name), sides, new InMemorySessionTable(config.limits().sessions()), clock, script.longestFrame(),
                    link,
                    random.split()));
        long salt = random.nextLong();
        Replay replay = new Replay(script, sides, clock, nodes, link, dealer(salt), history);
        replay.start();
        link.disturb(settings.delayNs(), settings.loss());
        long sentBefore = link.sent();
        Outcome[] outcomes = replay.run();
        if (count) {
            deltas += link.sent() - sentBefore;
            lost += link.lost();
        }
        return outcomes;
    }

    private ToIntFunction<Step> dealer(long salt) {
        return step -> {
            Flow flow = step.flow() == null ? step.quoted() : step.flow();
            // Fragments of a datagram come by one way: routers that spread flows go by the addresses of what has no ports.
            Object whole = settings.deal() == Deal.FLOW && flow != null ? flow : step.datagram();
            long name = whole == null ? step.index() : whole.hashCode();
            return new SplittableRandom(salt ^ name * 0x9E3779B97F4A7C15L).nextInt(PAIR.length);
        };
    }

    /** The config as the member of this name has it. */
    private Config named(String name) {
        return config.withNode(config.node().withName(name)).withCluster(config.cluster().withMembers(List.of(PAIR)));
    }
}
