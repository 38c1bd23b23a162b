/*
 * Functions that somebody wrote by hand, with data between their instructions, or with instructions within others.
 * Each is right as it stands; a breakpoint in what only looks like a RET changes what it gives.
 *
 * With UNWOUND they have records for the unwinder, as what compilers make has.
 */
#ifdef UNWOUND
#define BEGIN(name) .globl name; .type name, @function; name: .cfi_startproc
#define END(name) .cfi_endproc; .size name, . - name
#else
#define BEGIN(name) .globl name; .type name, @function; name:
#define END(name) .size name, . - name
#endif
	.intel_syntax noprefix
	.text

BEGIN(callover)				# a text behind a call, which takes its address from the stack
	push rbp
	call 1f
	.byte 0xc3, 0x90, 0x90, 0x90
1:	pop rdx
	mov eax, [rdx]
	pop rbp
	ret
END(callover)

BEGIN(skip)				# takes what lies behind its call, and comes back after that
	pop rdx
	mov eax, [rdx]
	add rdx, 4
	jmp rdx
END(skip)

BEGIN(inlinearg)
	call skip
	.byte 0xc3, 0x90, 0x90, 0x90
	ret
END(inlinearg)

BEGIN(tailreg)				# data behind a jump of which nothing says where it leads
	lea rdx, [rip + 2f]
	mov edi, [rdx]
	lea rax, [rip + same]
	jmp rax
2:	.byte 0xc3, 0xc3, 0xc3, 0xc3
END(tailreg)

BEGIN(same)
	mov eax, edi
	ret
END(same)

BEGIN(overlap)				# a jump into the middle of an instruction
	mov eax, 1
	test edi, edi
	jz 3f + 1
3:	mov al, 0xc3
	movzx eax, al
	ret
END(overlap)

BEGIN(opaque)				# a condition that always holds
	xor eax, eax
	jz 5f
4:	.byte 0xc3, 0x90, 0xc3, 0x90
5:	mov eax, [rip + 4b]
	ret
END(opaque)

BEGIN(adjacent)				# behind the table of its switch, something else
	push rbp
	and edi, 1
	lea rdx, [rip + table]
	movsxd rax, dword ptr [rdx + rdi * 4]
	add rax, rdx
	jmp rax
6:	lea rcx, [rip + table]
	movsxd rax, dword ptr [rcx + 8]
	mov eax, [rax + rcx]
	pop rbp
	ret
7:	mov eax, 7
	pop rbp
	ret
8:	.byte 0xc3, 0xc3, 0xc3, 0xc3
END(adjacent)
	.section .rodata
	.balign 4
table:	.long 6b - table, 7b - table
	.long 8b - table
	.long 0x7fffffff
	.text

BEGIN(dies)				# never comes back
	ud2
END(dies)

BEGIN(noreturn)				# data behind a call that never comes back
	test edi, edi
	jnz 9f
	call dies
data:	.byte 0xc3, 0x90, 0x90, 0x90
9:	push rbx
	pop rbx
	ret
END(noreturn)
	.globl data

BEGIN(bounded)				# a switch whose cases are known
	cmp edi, 1
	ja 12f
	lea rdx, [rip + cases]
	movsxd rax, dword ptr [rdx + rdi * 4]
	add rax, rdx
	jmp rax
10:	mov eax, 10
	ret
11:	mov eax, 11
	ret
12:	mov eax, 12
	ret
END(bounded)
	.section .rodata
	.balign 4
cases:	.long 10b - cases, 11b - cases
	.text
	.section .note.GNU-stack, "", @progbits
