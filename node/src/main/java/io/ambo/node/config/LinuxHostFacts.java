package io.ambo.node.config;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** This host, as its kernel shows it to a process in this network namespace. Each call looks again. */
public final class LinuxHostFacts implements HostFacts {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final String CPUS_ALLOWED = "Cpus_allowed_list:";
    private static final Path VLANS = Path.of("/proc/net/vlan/config");
    private static final Path INTERFACES = Path.of("/sys/class/net");
    private static final int KEY_READ_MAX_BYTES = 128 << 10;

    private record Vlan(String parent, int id) {}

    @Override
    public Map<String, HostInterface> interfaces() {
        Map<String, Vlan> vlans = vlans();
        Map<String, HostInterface> interfaces = new LinkedHashMap<>();
        try {
            List<NetworkInterface> all = new ArrayList<>(NetworkInterface.networkInterfaces().toList());
            all.sort(Comparator.comparingInt(NetworkInterface::getIndex));
            for (NetworkInterface each : all) {
                Vlan vlan = vlans.getOrDefault(each.getName(), new Vlan("", -1));
                interfaces.put(each.getName(), new HostInterface(each.getName(), each.getMTU(), vlan.parent, vlan.id, receiveQueues(each),
                        each.inetAddresses().map(LinuxHostFacts::withoutScope).toList()));
            }
        } catch (SocketException e) {
            throw new UncheckedIOException("cannot list the network interfaces", e);
        }
        return interfaces;
    }

    @Override
    public FileFacts file(Path file) {
        try {
            Object mode = Files.getAttribute(file, "unix:mode");
            byte[] content;
            try (var in = Files.newInputStream(file)) {
                content = in.readNBytes(KEY_READ_MAX_BYTES);
            }
            return new FileFacts.Present((Integer) mode & 0777, strippedSize(content));
        } catch (NoSuchFileException e) {
            return new FileFacts.Missing();
        } catch (AccessDeniedException e) {
            return new FileFacts.Unreadable("permission denied");
        } catch (IOException e) {
            return new FileFacts.Unreadable(String.valueOf(e.getMessage()));
        }
    }

    @Override
    public boolean groupExists(String name) {
        try {
            FileSystems.getDefault().getUserPrincipalLookupService().lookupPrincipalByGroupName(name);
            return true;
        } catch (UserPrincipalNotFoundException e) {
            return false;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot look up group " + name, e);
        }
    }

    @Override
    public boolean hasCpu(int cpu) {
        try (Stream<String> lines = Files.lines(STATUS)) {
            String allowed = lines.filter(line -> line.startsWith(CPUS_ALLOWED)).findFirst().orElse(CPUS_ALLOWED);
            for (String range : allowed.substring(CPUS_ALLOWED.length()).strip().split(",", -1)) {
                String[] ends = range.split("-", 2);
                if (!range.isEmpty() && cpu >= Integer.parseInt(ends[0]) && cpu <= Integer.parseInt(ends[ends.length - 1])) return true;
            }
            return false;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + STATUS, e);
        }
    }

    /** Lines of "name | id | parent" after two of heading; the file is there only with the 8021q module. */
    private static Map<String, Vlan> vlans() {
        Map<String, Vlan> vlans = new HashMap<>();
        if (!Files.isReadable(VLANS)) return vlans;
        try {
            for (String line : Files.readAllLines(VLANS)) {
                String[] fields = line.split("\\|", -1);
                if (fields.length == 3 && fields[1].strip().matches("\\d{1,4}")) {
                    vlans.put(fields[0].strip(), new Vlan(fields[2].strip(), Integer.parseInt(fields[1].strip())));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + VLANS, e);
        }
        return vlans;
    }

    /** Of sysfs, which may be mounted for another network namespace than this process is in: then the index differs, or the name is missing. */
    private static int receiveQueues(NetworkInterface of) {
        Path directory = INTERFACES.resolve(of.getName());
        try {
            if (!Files.readString(directory.resolve("ifindex")).strip().equals(Integer.toString(of.getIndex()))) return 0;
            try (Stream<Path> queues = Files.list(directory.resolve("queues"))) {
                return (int) queues.filter(queue -> queue.getFileName().toString().startsWith("rx-")).count();
            }
        } catch (IOException e) {
            return 0;
        }
    }

    /** Java's addresses of an interface carry its scope, those of a config do not. */
    private static InetAddress withoutScope(InetAddress address) {
        try {
            return InetAddress.getByAddress(address.getAddress());
        } catch (UnknownHostException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int strippedSize(byte[] content) {
        int from = 0;
        int to = content.length;
        while (from < to && isSpace(content[from])) from++;
        while (to > from && isSpace(content[to - 1])) to--;
        return to - from;
    }

    private static boolean isSpace(byte b) { return b == ' ' || b == '\n' || b == '\r' || b == '\t'; }
}
