package io.ambo.cluster.jgroups;

import io.ambo.cluster.ClusterException;
import io.ambo.cluster.ClusterSettings;
import io.ambo.cluster.ClusterSettings.Multicast;
import io.ambo.cluster.ClusterSettings.Tcp;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The protocol stack as the settings want it: udp.xml or tcp.xml of this package with its blanks filled in. */
final class SyncStack {
    private SyncStack() {}

    static InputStream configuration(ClusterSettings settings) throws ClusterException {
        String text = read(settings.link() instanceof Multicast ? "udp.xml" : "tcp.xml");
        for (Map.Entry<String, String> blank : blanks(settings).entrySet())
            text = text.replace("${ambo." + blank.getKey() + "}", blank.getValue());
        return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
    }

    private static Map<String, String> blanks(ClusterSettings settings) {
        Map<String, String> blanks = new HashMap<>();
        ClusterSettings.Timing timing = settings.timing();
        blanks.put("bind", settings.bindAddress().getHostAddress());
        blanks.put("buffer", Integer.toString(settings.limits().socketBufferBytes()));
        blanks.put("join", Integer.toString(timing.joinMs()));
        blanks.put("heartbeat", Integer.toString(timing.heartbeatMs()));
        blanks.put("heartbeat.timeout", Integer.toString(timing.heartbeatTimeoutMs()));
        blanks.put("verify", Integer.toString(timing.verifyMs()));
        blanks.put("merge.min", Integer.toString(timing.mergeMinMs()));
        blanks.put("merge.max", Integer.toString(timing.mergeMaxMs()));
        blanks.put("retransmit", Integer.toString(timing.retransmitMs()));
        // JGroups asks for what was missing at two turns: three to six milliseconds after the loss, within the ten that a stray is parked.
        blanks.put("retransmit.multicast", Integer.toString(Math.max(1, timing.retransmitMs() / 3)));
        switch (settings.link()) {
            case Multicast multicast -> {
                blanks.put("group", multicast.group().getHostAddress());
                blanks.put("port", Integer.toString(multicast.port()));
                blanks.put("port.unicast", Integer.toString(multicast.port() + 1));
                blanks.put("ttl", Integer.toString(multicast.ttl()));
                blanks.put("alone-on-host", Boolean.toString(!settings.bindAddress().isLoopbackAddress()));
            }
            case Tcp tcp -> {
                blanks.put("port", Integer.toString(tcp.port()));
                Stream<InetSocketAddress> self = Stream.of(new InetSocketAddress(settings.bindAddress(), tcp.port()));
                blanks.put("members",
                        Stream.concat(self, tcp.members().stream()).distinct().map(SyncStack::member).collect(Collectors.joining(",")));
            }
        }
        return blanks;
    }

    private static String member(InetSocketAddress address) {
        InetAddress resolved = address.getAddress();
        return (resolved == null ? address.getHostString() : resolved.getHostAddress()) + "[" + address.getPort() + "]";
    }

    private static String read(String resource) throws ClusterException {
        try (InputStream in = SyncStack.class.getResourceAsStream(resource)) {
            if (in == null)
                throw new ClusterException("the stack " + resource + " is missing", "the installation is damaged: install it again", null);
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new ClusterException("the stack " + resource + " cannot be read", "the installation is damaged: install it again", e);
        }
    }
}
