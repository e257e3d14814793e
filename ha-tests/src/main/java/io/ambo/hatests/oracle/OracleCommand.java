package io.ambo.hatests.oracle;

import io.ambo.cluster.ClusterException;
import io.ambo.hatests.capture.CaptureException;
import io.ambo.hatests.capture.CaptureReader;
import io.ambo.hatests.report.Json;
import io.ambo.node.config.Cidr;
import io.ambo.node.config.Config;
import io.ambo.node.config.ConfigLoader;
import io.ambo.node.config.HostFacts;
import io.ambo.node.config.Loaded;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ambo oracle FILE.pcap}. Exit codes: 0 the pair is one device, 1 a difference, 2 usage or a file that cannot be used. */
@Command(name = "oracle", description = "Replays a capture through one node, and through a pair with each packet dealt to a random node: same verdicts, same translations?", mixinStandardHelpOptions = true)
public final class OracleCommand implements Callable<Integer> {
    private static final int SAME = 0, DIFFERENT = 1, USAGE = 2;
    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})(us|ms|s)");
    private static final long LONGEST_DELAY_NS = 60_000_000_000L;

    @Parameters(paramLabel = "FILE", description = "pcap or pcapng, Ethernet or raw IP, whole packets; as the side sees it that opens the sessions")
    private Path file = Path.of("");

    @Option(names = "--config", paramLabel = "FILE", description = "the policy: an ambo.yml. Without one, whoever is inside may open anything, and nobody else")
    private @Nullable Path configFile;

    @Option(names = "--inside", split = ",", paramLabel = "NETWORK", description = "behind the first interface of the config, all else behind the second. Without it and --behind: whoever opens a session before one is opened to it")
    private List<String> inside = List.of();

    @Option(names = "--behind", paramLabel = "ZONE=NETWORK", description = "the same for a zone of the config; may be given several times, the first that fits counts")
    private List<String> behind = List.of();

    @Option(names = "--deals", description = "how often the packets are dealt anew (${DEFAULT-VALUE})")
    private int deals = 20;

    @Option(names = "--deal", description = "packet: each to a random node; flow: each flow to one (${DEFAULT-VALUE})")
    private String deal = "packet";

    @Option(names = "--seed", description = "of the first deal; the next ones count on (${DEFAULT-VALUE})")
    private long seed = 1;

    @Option(names = "--delay", description = "a delta takes up to so long; they overtake each other (${DEFAULT-VALUE})")
    private String delay = "5ms";

    @Option(names = "--loss", description = "so many of a hundred deltas are lost at first, and come when they have been sent again, 10 to 20 ms later (${DEFAULT-VALUE})")
    private double loss = 5;

    @Option(names = "--json", description = "the answer as JSON")
    private boolean json;

    @Override
    public Integer call() throws ClusterException {
        try {
            Config config = config();
            Script script = Script.of(CaptureReader.read(file));
            if (script.steps().isEmpty()) throw new IllegalArgumentException(file + " has no IP packet");
            Sides sides = new Sides(config, behind(config), script);
            Oracle.Settings settings = settings();
            Oracle.Answer answer = new Oracle(script, config, sides, settings).ask();
            System.out.print(json ? Json.write(map(script, settings, answer)) : text(script, sides, answer));
            return answer.first().isEmpty() ? SAME : DIFFERENT;
        } catch (CaptureException | IllegalArgumentException unusable) {
            System.err.println(unusable.getMessage());
        } catch (NoSuchFileException missing) {
            System.err.println(missing.getFile() + ": no such file");
        } catch (IOException unreadable) {
            System.err.println(file + " cannot be read: " + unreadable.getMessage());
        }
        return USAGE;
    }

    private Config config() {
        if (configFile == null) return OpenPolicy.config();
        return switch (ConfigLoader.load(configFile, HostFacts.UNKNOWN)) {
            case Loaded.Accepted(Config config) -> config;
            case Loaded.Refused refused -> throw new IllegalArgumentException(refused.report());
        };
    }

    private List<Sides.Behind> behind(Config config) {
        List<Sides.Behind> all = new ArrayList<>();
        for (String network : inside) all.add(new Sides.Behind(config.interfaces().getFirst().zone(), network(network)));
        for (String each : behind) {
            int equals = each.indexOf('=');
            if (equals < 1) throw new IllegalArgumentException("--behind " + each + ": write ZONE=NETWORK, for instance inside=10.0.0.0/8");
            for (String network : each.substring(equals + 1).split(",", -1))
                all.add(new Sides.Behind(each.substring(0, equals), network(network)));
        }
        return all;
    }

    private static Cidr network(String text) {
        try {
            return Cidr.parse(text);
        } catch (Cidr.FormatException wrong) {
            throw new IllegalArgumentException(text + " " + wrong.getMessage(), wrong);
        }
    }

    private Oracle.Settings settings() {
        if (deals < 1) throw new IllegalArgumentException("--deals is at least 1");
        if (loss < 0 || loss >= 100) throw new IllegalArgumentException("--loss is 0 to 99.9, in a hundred");
        Oracle.Deal kind = switch (deal) {
            case "packet" -> Oracle.Deal.PACKET;
            case "flow" -> Oracle.Deal.FLOW;
            default -> throw new IllegalArgumentException("--deal is packet or flow");
        };
        return new Oracle.Settings(seed, deals, kind, delayNs(), loss / 100);
    }

    private long delayNs() {
        Matcher parts = DURATION.matcher(delay);
        if (!parts.matches()) throw new IllegalArgumentException("--delay " + delay + ": write 500us, 5ms or 1s");
        long unitNs = switch (parts.group(2)) {
            case "us" -> 1000;
            case "ms" -> 1_000_000;
            default -> 1_000_000_000;
        };
        long ns = Long.parseLong(parts.group(1)) * unitNs;
        if (ns > LONGEST_DELAY_NS) throw new IllegalArgumentException("--delay is at most 60s");
        return ns;
    }

    private String text(Script script, Sides sides, Oracle.Answer answer) {
        StringBuilder text = new StringBuilder();
        text.append(answer.first().isEmpty()
                ? "one device: " + script.steps().size() + " packets, the same through one node and through a pair in " + answer.deals()
                        + " deals\n"
                : "a difference at packet " + answer.first().get().step().name() + " (deal " + answer.deals() + ", seed "
                        + answer.first().get().seed() + "): " + answer.first().get().what() + "\n");
        answer.first().ifPresent(difference -> {
            text.append("  ").append(difference.step()).append('\n');
            text.append("  one node   ").append(difference.one()).append('\n');
            text.append("  the pair   ").append(difference.pair()).append('\n');
            if (!difference.history().isEmpty()) text.append("history of its session in the pair\n");
            for (String line : difference.history()) text.append("  ").append(line).append('\n');
            text.append("again: --seed ").append(difference.seed()).append(" --deals 1\n");
        });
        text.append("one node   ").append(answer.passed()).append(" passed (").append(answer.translated()).append(" translated), ")
                .append(answer.dropped()).append(" dropped\n");
        text.append("sides      ");
        for (int port = 0; port < sides.ports(); port++)
            text.append(port == 0 ? "" : ", ").append(sides.name(port)).append(": ").append(sides.addresses(port)).append(" addresses");
        text.append("\ndeltas     up to ").append(delay).append(" under way, ").append(answer.lost()).append(" of ").append(answer.deltas())
                .append(" messages lost\n");
        if (answer.withinSlack() > 0)
            text.append("slack      ").append(answer.withinSlack())
                    .append(" verdicts on segments outside the exact window and inside the slack of a pair\n");
        if (script.skipped() > 0) text.append("left out   ").append(script.skipped()).append(" packets that are not IP\n");
        if (script.cut() + script.summed() > 0)
            text.append("offload    ").append(script.cut()).append(" large segments cut, ").append(script.summed())
                    .append(" checksums finished\n");
        return text.toString();
    }

    private static Map<String, Object> map(Script script, Oracle.Settings settings, Oracle.Answer answer) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("same", answer.first().isEmpty());
        map.put("packets", script.steps().size());
        map.put("passed", answer.passed());
        map.put("dropped", answer.dropped());
        map.put("translated", answer.translated());
        map.put("notIp", script.skipped());
        map.put("segmentsCut", script.cut());
        map.put("checksumsFinished", script.summed());
        map.put("deals", answer.deals());
        map.put("seed", settings.seed());
        map.put("deltaMessages", answer.deltas());
        map.put("deltaMessagesLost", answer.lost());
        map.put("withinSlack", answer.withinSlack());
        answer.first().ifPresent(difference -> {
            Map<String, Object> first = new LinkedHashMap<>();
            first.put("packet", difference.step().number());
            first.put("seed", difference.seed());
            first.put("what", difference.what());
            first.put("text", difference.step().toString());
            first.put("oneNode", difference.one().toString());
            first.put("pair", difference.pair().toString());
            first.put("history", difference.history());
            map.put("difference", first);
        });
        return map;
    }
}
