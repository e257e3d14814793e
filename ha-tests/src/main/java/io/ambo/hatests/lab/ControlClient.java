package io.ambo.hatests.lab;

import io.ambo.proto.control.CountersRequest;
import io.ambo.proto.control.Event;
import io.ambo.proto.control.EventsRequest;
import io.ambo.proto.control.Members;
import io.ambo.proto.control.MembersRequest;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.NodeStatus;
import io.ambo.proto.control.Reload;
import io.ambo.proto.control.ReloadRequest;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;
import io.ambo.proto.control.Restart;
import io.ambo.proto.control.RestartRequest;
import io.ambo.proto.control.Scope;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionCount;
import io.ambo.proto.control.SessionCountRequest;
import io.ambo.proto.control.SessionFilter;
import io.ambo.proto.control.SessionListRequest;
import io.ambo.proto.control.SessionPage;
import io.ambo.proto.control.StatusRequest;
import java.io.IOException;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Asks one node what itself knows (Scope LOCAL), over its unix socket. */
public final class ControlClient {
    private static final int PAGE = 10_000;
    private final Path socket;

    public ControlClient(Path socket) { this.socket = socket; }

    public NodeStatus status() { return local(Request.newBuilder().setStatus(StatusRequest.getDefaultInstance())).getStatus(); }

    public Members members() { return local(Request.newBuilder().setMembers(MembersRequest.getDefaultInstance())).getMembers(); }

    public SessionCount count(SessionFilter filter) {
        return local(Request.newBuilder().setSessionCount(SessionCountRequest.newBuilder().setFilter(filter))).getSessionCount();
    }

    public SessionCount count() { return count(SessionFilter.getDefaultInstance()); }

    /** Every counter of the node by its name. */
    public Map<String, Long> counters() {
        Map<String, Long> counters = new HashMap<>();
        local(Request.newBuilder().setCounters(CountersRequest.getDefaultInstance())).getCounters().getCountersList()
                .forEach(counter -> counters.merge(counter.getName(), counter.getValue(), Long::sum));
        return counters;
    }

    /** Its newest events, the oldest first. */
    public List<Event> events() {
        return local(Request.newBuilder().setEvents(EventsRequest.newBuilder().setLimit(200))).getEvents().getEventsList();
    }

    public Reload reload() { return local(Request.newBuilder().setReload(ReloadRequest.getDefaultInstance())).getReload(); }

    /** The process ends; its flows go on in the kernel. */
    public Restart restart() {
        return local(Request.newBuilder().setRestart(RestartRequest.getDefaultInstance())).getRestart();
    }

    /** All sessions that match, page by page. */
    public void forEachSession(SessionFilter filter, Consumer<Session> visitor) {
        try (SocketChannel channel = connect()) {
            SessionListRequest.Builder list = SessionListRequest.newBuilder().setFilter(filter).setLimit(PAGE);
            do {
                Response response = ask(channel, Request.newBuilder().setScope(Scope.LOCAL).setSessionList(list));
                SessionPage page = response.hasPage() ? response.getPage() : answer(response).getSessionPage();
                page.getSessionsList().forEach(visitor);
                list.setPageToken(page.getNextPageToken());
            } while (!list.getPageToken().isEmpty());
        } catch (IOException failed) {
            throw new LabException("asking " + socket + " for its sessions: " + failed.getMessage(), failed);
        }
    }

    public List<Session> sessions(SessionFilter filter) {
        List<Session> sessions = new ArrayList<>();
        forEachSession(filter, sessions::add);
        return sessions;
    }

    private NodeAnswer local(Request.Builder request) {
        try (SocketChannel channel = connect()) {
            return answer(ask(channel, request.setScope(Scope.LOCAL)));
        } catch (IOException failed) {
            throw new LabException("asking " + socket + ": " + failed.getMessage(), failed);
        }
    }

    private SocketChannel connect() throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.connect(UnixDomainSocketAddress.of(socket));
            return channel;
        } catch (IOException failed) {
            channel.close();
            throw failed;
        }
    }

    private static Response ask(SocketChannel channel, Request.Builder request) throws IOException {
        OutputStream out = Channels.newOutputStream(channel);
        request.setId(1).build().writeDelimitedTo(out);
        out.flush();
        Response response = Response.parseDelimitedFrom(Channels.newInputStream(channel));
        if (response == null) throw new IOException("the node closed the connection");
        if (response.hasError()) throw new LabException("the node answered: " + response.getError().getMessage());
        return response;
    }

    private static NodeAnswer answer(Response response) {
        NodeAnswer answer = response.getNodes(0);
        if (answer.hasError()) throw new LabException("the node answered: " + answer.getError().getMessage());
        return answer;
    }
}
