// Compares the addon's view of the shared structures with the BPF object's own type information; prints what differs.
#include <bpf/btf.h>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "../../../native/bpf/wire.h"

static int differences = 0;

static void checkSize(const btf* types, const char* structure, size_t size) {
  const int id = btf__find_by_name_kind(types, structure, BTF_KIND_STRUCT);
  const long long other = id < 0 ? -1 : btf__resolve_size(types, static_cast<__u32>(id));
  if (other == static_cast<long long>(size)) return;
  printf("%s: %zu bytes here, %lld there\n", structure, size, other);
  differences += 1;
}

static void checkMember(const btf* types, const char* structure, const char* member, size_t offset) {
  const int id = btf__find_by_name_kind(types, structure, BTF_KIND_STRUCT);
  if (id >= 0) {
    const btf_type* type = btf__type_by_id(types, static_cast<__u32>(id));
    const btf_member* members = btf_members(type);
    for (int i = 0; i < btf_vlen(type); i += 1) {
      if (strcmp(btf__name_by_offset(types, members[i].name_off), member) == 0 && btf_member_bit_offset(type, i) == offset * 8) return;
    }
  }
  printf("%s.%s: not at offset %zu\n", structure, member, offset);
  differences += 1;
}

#define SIZE(structure) checkSize(types, #structure, sizeof(structure))
#define MEMBER(structure, member) checkMember(types, #structure, #member, offsetof(structure, member))

int main(int, char** arguments) {
  const btf* types = btf__parse(arguments[1], nullptr);
  if (types == nullptr) {
    printf("no type information in %s\n", arguments[1]);
    return 1;
  }
  SIZE(bastion_executable);
  MEMBER(bastion_executable, inode);
  MEMBER(bastion_executable, ctime_sec);
  MEMBER(bastion_executable, device);
  MEMBER(bastion_executable, generation);
  SIZE(bastion_owner);
  MEMBER(bastion_owner, cookie);
  MEMBER(bastion_owner, start_ns);
  MEMBER(bastion_owner, network_namespace);
  MEMBER(bastion_owner, cgroup);
  MEMBER(bastion_owner, executable);
  MEMBER(bastion_owner, pid);
  MEMBER(bastion_owner, uid);
  MEMBER(bastion_owner, gid);
  MEMBER(bastion_owner, mount_namespace);
  MEMBER(bastion_owner, flags);
  MEMBER(bastion_owner, socket_type);
  MEMBER(bastion_owner, user);
  MEMBER(bastion_owner, reserved);
  MEMBER(bastion_owner, command);
  SIZE(bastion_destination);
  MEMBER(bastion_destination, address);
  MEMBER(bastion_destination, port);
  MEMBER(bastion_destination, protocol);
  MEMBER(bastion_destination, family);
  SIZE(bastion_tuple);
  MEMBER(bastion_tuple, source);
  MEMBER(bastion_tuple, destination);
  MEMBER(bastion_tuple, source_port);
  MEMBER(bastion_tuple, reserved);
  SIZE(bastion_pending);
  MEMBER(bastion_pending, owner);
  MEMBER(bastion_pending, recorded_ns);
  MEMBER(bastion_pending, changed_ns);
  MEMBER(bastion_pending, flags);
  MEMBER(bastion_pending, reserved);
  SIZE(bastion_flow_key);
  MEMBER(bastion_flow_key, cookie);
  MEMBER(bastion_flow_key, start_ns);
  MEMBER(bastion_flow_key, executable);
  MEMBER(bastion_flow_key, pid);
  MEMBER(bastion_flow_key, destination);
  SIZE(bastion_verdict_key);
  MEMBER(bastion_verdict_key, executable);
  MEMBER(bastion_verdict_key, network_namespace);
  MEMBER(bastion_verdict_key, uid);
  MEMBER(bastion_verdict_key, destination);
  MEMBER(bastion_verdict_key, form);
  MEMBER(bastion_verdict_key, reserved);
  SIZE(bastion_peer_key);
  MEMBER(bastion_peer_key, cookie);
  MEMBER(bastion_peer_key, peer);
  MEMBER(bastion_peer_key, reserved);
  SIZE(bastion_verdict);
  MEMBER(bastion_verdict, verdict);
  MEMBER(bastion_verdict, generation);
  MEMBER(bastion_verdict, until_ns);
  MEMBER(bastion_verdict, hit_slot);
  MEMBER(bastion_verdict, reserved);
  SIZE(bastion_amount);
  MEMBER(bastion_amount, bytes);
  MEMBER(bastion_amount, packets);
  SIZE(bastion_task);
  MEMBER(bastion_task, task);
  MEMBER(bastion_task, start_ns);
  MEMBER(bastion_task, exec_id);
  SIZE(bastion_socket);
  MEMBER(bastion_socket, owner);
  MEMBER(bastion_socket, caller);
  MEMBER(bastion_socket, generation);
  MEMBER(bastion_socket, released);
  MEMBER(bastion_socket, allowed_cookie);
  MEMBER(bastion_socket, until_ns);
  MEMBER(bastion_socket, reported_ns);
  MEMBER(bastion_socket, sent);
  MEMBER(bastion_socket, received);
  MEMBER(bastion_socket, sent_added);
  MEMBER(bastion_socket, received_added);
  MEMBER(bastion_socket, sent_before);
  MEMBER(bastion_socket, received_before);
  MEMBER(bastion_socket, tuple);
  MEMBER(bastion_socket, begun_cookie);
  MEMBER(bastion_socket, begun_ns);
  MEMBER(bastion_socket, tell_ns);
  MEMBER(bastion_socket, decided_generation);
  MEMBER(bastion_socket, hit_slot);
  MEMBER(bastion_socket, interface_index);
  MEMBER(bastion_socket, length);
  MEMBER(bastion_socket, inbound);
  MEMBER(bastion_socket, reserved);
  SIZE(bastion_traffic_key);
  MEMBER(bastion_traffic_key, executable);
  MEMBER(bastion_traffic_key, uid);
  MEMBER(bastion_traffic_key, reserved);
  SIZE(bastion_traffic);
  MEMBER(bastion_traffic, sent);
  MEMBER(bastion_traffic, received);
  SIZE(bastion_share);
  MEMBER(bastion_share, drained_ns);
  MEMBER(bastion_share, second);
  MEMBER(bastion_share, sockets);
  MEMBER(bastion_share, pending);
  MEMBER(bastion_share, peers);
  MEMBER(bastion_share, reserved);
  SIZE(bastion_family_share);
  MEMBER(bastion_family_share, processes);
  MEMBER(bastion_family_share, images);
  MEMBER(bastion_family_share, exited);
  MEMBER(bastion_family_share, reserved);
  SIZE(bastion_event_share);
  MEMBER(bastion_event_share, second);
  MEMBER(bastion_event_share, told);
  MEMBER(bastion_event_share, reserved);
  SIZE(bastion_process_key);
  MEMBER(bastion_process_key, start_ns);
  MEMBER(bastion_process_key, pid);
  MEMBER(bastion_process_key, reserved);
  SIZE(bastion_image_key);
  MEMBER(bastion_image_key, time_ns);
  MEMBER(bastion_image_key, pid);
  MEMBER(bastion_image_key, reserved);
  SIZE(bastion_process);
  MEMBER(bastion_process, executable);
  MEMBER(bastion_process, image);
  MEMBER(bastion_process, exec_id);
  MEMBER(bastion_process, exited_ns);
  MEMBER(bastion_process, user);
  MEMBER(bastion_process, flags);
  SIZE(bastion_image);
  MEMBER(bastion_image, parent);
  MEMBER(bastion_image, executable);
  MEMBER(bastion_image, start_ns);
  MEMBER(bastion_image, pid);
  MEMBER(bastion_image, mount_namespace);
  MEMBER(bastion_image, users);
  MEMBER(bastion_image, depth);
  MEMBER(bastion_image, user);
  MEMBER(bastion_image, flags);
  MEMBER(bastion_image, arguments_length);
  MEMBER(bastion_image, directory_length);
  MEMBER(bastion_image, command);
  MEMBER(bastion_image, filename);
  MEMBER(bastion_image, interpreter);
  MEMBER(bastion_image, arguments);
  MEMBER(bastion_image, directory);
  SIZE(bastion_exited_key);
  MEMBER(bastion_exited_key, user);
  MEMBER(bastion_exited_key, slot);
  SIZE(bastion_flow_event);
  MEMBER(bastion_flow_event, owner);
  MEMBER(bastion_flow_event, tuple);
  MEMBER(bastion_flow_event, cookie);
  MEMBER(bastion_flow_event, begun_ns);
  MEMBER(bastion_flow_event, time_ns);
  MEMBER(bastion_flow_event, sent);
  MEMBER(bastion_flow_event, received);
  MEMBER(bastion_flow_event, kind);
  MEMBER(bastion_flow_event, flags);
  MEMBER(bastion_flow_event, generation);
  MEMBER(bastion_flow_event, hit_slot);
  MEMBER(bastion_flow_event, interface_index);
  MEMBER(bastion_flow_event, length);
  SIZE(bastion_settings);
  MEMBER(bastion_settings, layout);
  MEMBER(bastion_settings, generation);
  MEMBER(bastion_settings, decide_in_thread);
  MEMBER(bastion_settings, gate);
  MEMBER(bastion_settings, drained_ns);
  MEMBER(bastion_settings, turned_ns);
  MEMBER(bastion_settings, network_namespace);
  MEMBER(bastion_settings, helper_start_ns);
  MEMBER(bastion_settings, helper_pid);
  MEMBER(bastion_settings, forms);
  MEMBER(bastion_settings, refuse_mark);
  MEMBER(bastion_settings, adopt_all);
  MEMBER(bastion_settings, policy);
  MEMBER(bastion_settings, tell_flows);
  MEMBER(bastion_settings, reserved);
  SIZE(bastion_seen_key);
  MEMBER(bastion_seen_key, executable);
  MEMBER(bastion_seen_key, mount_namespace);
  MEMBER(bastion_seen_key, reserved);
  SIZE(bastion_path_event);
  MEMBER(bastion_path_event, executable);
  MEMBER(bastion_path_event, length);
  MEMBER(bastion_path_event, complete);
  MEMBER(bastion_path_event, mount_namespace);
  MEMBER(bastion_path_event, reserved);
  MEMBER(bastion_path_event, names);
  return differences == 0 ? 0 : 1;
}
