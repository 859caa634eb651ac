; The installer for Windows: for one user, without an administrator, or with /ALLUSERS for all users of
; the machine. scripts/package.sh runs it with VERSION, NUMBERS, SOURCE (the folder with the files), SETUP
; (the program app/setup) and OUTPUT. docs/packaging.md describes its switches and exit codes.

; As the programs are; Wine without 32-bit parts can run it, too.
Target amd64-unicode
Unicode true
SetCompressor /SOLID lzma
; The two programs are nearly the same bytes, and the second takes nothing where the compressor still sees the first.
SetCompressorDictSize 64
SetDateSave off
Name "Blendtray"
OutFile "${OUTPUT}"
RequestExecutionLevel user
ManifestDPIAware true
BrandingText "Blendtray ${VERSION}"
VIProductVersion "${NUMBERS}"
VIAddVersionKey "ProductName" "Blendtray"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "Blendtray installer"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "LegalCopyright" "GPL-3.0-or-later"

!include MUI2.nsh
!include LogicLib.nsh
!include FileFunc.nsh
!include WordFunc.nsh
!include WinMessages.nsh
!insertmacro GetParameters
!insertmacro GetOptions
!insertmacro VersionCompare

; "ran" when programs were ended, which are started again, else "".
Var Ran
; The folder of the version before, or "".
Var Before
; "machine" for all users, else "".
Var Scope
; The exit code of an installation that fails now.
Var Code

!define MUI_ICON "${SOURCE}\app.ico"
!define MUI_UNICON "${SOURCE}\app.ico"
!define MUI_FINISHPAGE_RUN
!define MUI_FINISHPAGE_RUN_FUNCTION StartTray
!define MUI_FINISHPAGE_RUN_TEXT "Start Blendtray"
!insertmacro MUI_PAGE_LICENSE "${SOURCE}\LICENSE.txt"
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\Blendtray"
!define LOGIN "Software\Microsoft\Windows\CurrentVersion\Run"

; Exit codes of Windows and its own installer: a person said no, a newer version is there, an administrator is
; needed, something can't be replaced, files can't be written.
!define CANCELLED 1602
!define FAILED 1603
!define NEWER 1638
!define ELEVATION 740
!define UNWRITTEN 82

!macro Switch NAME RESULT
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "${NAME}" $R1
  ${If} ${Errors}
    StrCpy ${RESULT} ""
  ${Else}
    StrCpy ${RESULT} "yes"
  ${EndIf}
!macroend

!macro ForMachine
  SetShellVarContext all
  StrCpy $Scope "machine"
!macroend

; An administrator is needed for what all users share. A person is asked for one; the program is then started
; again with the same switches, of which NSIS has taken out the folder.
!macro NeedAdministrator PROGRAM FOLDER
  UserInfo::GetAccountType
  Pop $R1
  ${If} $R1 != "Admin"
    ${IfNot} ${Silent}
      ${GetParameters} $R0
      ExecShell "runas" "${PROGRAM}" "$R0${FOLDER}"
      SetErrorLevel 0
      Quit
    ${EndIf}
    SetErrorLevel ${ELEVATION}
    Quit
  ${EndIf}
!macroend

; Runs the program app/setup, whose exit code is then in $R0.
!macro Setup ARGUMENTS
  nsExec::ExecToLog '"$PLUGINSDIR\setup.exe" ${ARGUMENTS}'
  Pop $R0
!macroend

; Ends what runs from folders, and says in $Ran whether something did. A run may end. $R0 is 0 when all has ended.
!macro EndRunning FOLDERS
  DetailPrint "Waiting until the run that is running has ended"
  nsExec::ExecToStack '"$PLUGINSDIR\setup.exe" end "$PLUGINSDIR\running.json" ${FOLDERS}'
  Pop $R0
  Pop $Ran
!macroend

; Starts again in a folder what was ended.
!macro StartAgain FOLDER
  ${If} $Ran != ""
    !insertmacro Setup 'again "$PLUGINSDIR\running.json" "${FOLDER}"'
  ${EndIf}
!macroend

; Takes back what the installation has changed. The version before, if there is one, goes on.
Function TakeBack
  SetOutPath "$TEMP" ; the folder that is removed must not be that of this process
  !insertmacro Setup 'restore "$INSTDIR"'
  ${If} $Before == ""
    !insertmacro StartAgain "$INSTDIR"
  ${Else}
    !insertmacro StartAgain "$Before"
  ${EndIf}
  StrCpy $Ran ""
  SetErrorLevel $Code
FunctionEnd

; Ends the installation because of the reason that is on the stack.
Function Fail
  Call TakeBack
  Pop $R1
  DetailPrint "$R1"
  MessageBox MB_OK|MB_ICONSTOP "$R1" /SD IDOK
  Abort
FunctionEnd

; NSIS ends an installation by itself when the disk is full.
Function .onInstFailed
  Call TakeBack
FunctionEnd

Function .onInit
  SetRegView 64
  InitPluginsDir
  !insertmacro Switch "/ALLUSERS" $R2
  ${If} $R2 != ""
    ${If} $INSTDIR == ""
      StrCpy $R3 ""
    ${Else}
      StrCpy $R3 " /D=$INSTDIR"
    ${EndIf}
    !insertmacro NeedAdministrator "$EXEPATH" "$R3"
    !insertmacro ForMachine
  ${EndIf}
  ReadRegStr $Before SHCTX "Software\Blendtray" "Folder"
  ${If} $INSTDIR == ""
    StrCpy $INSTDIR $Before
  ${EndIf}
  ${If} $INSTDIR == ""
    ${If} $Scope == "machine"
      StrCpy $INSTDIR "$PROGRAMFILES64\Blendtray"
    ${Else}
      StrCpy $INSTDIR "$LOCALAPPDATA\Programs\Blendtray"
    ${EndIf}
  ${EndIf}

  File "/oname=$PLUGINSDIR\setup.exe" "${SETUP}"
  Call Choose
  ReadRegStr $R3 SHCTX "${UNINSTALL}" "DisplayVersion"
  ${If} $R3 != ""
    ${VersionCompare} "$R3" "${VERSION}" $R4
    ${If} $R4 == 1
      !insertmacro Switch "/DOWNGRADE" $R2
      ${If} $R2 == ""
        ${If} ${Silent}
          SetErrorLevel ${NEWER}
          Quit
        ${EndIf}
        MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 "Version $R3 is installed, which is newer than this one, ${VERSION}. Install the older version? Runs and settings of the newer version may not be understood." IDYES older
        SetErrorLevel ${CANCELLED}
        Quit
        older:
      ${EndIf}
    ${EndIf}
  ${EndIf}
FunctionEnd

Section "Blendtray" SectionProgram
  SectionIn RO
  StrCpy $Code ${UNWRITTEN}
  ; The new files come beside those before, which work meanwhile.
  !insertmacro Setup 'prepare "$INSTDIR"'
  ${If} $R0 != 0
    Push "Nothing can be written into $INSTDIR, or a program in it can't be replaced. End it with the Task Manager and try again."
    Call Fail
  ${EndIf}
  SetOutPath "$INSTDIR\.new"
  SetOverwrite try
  ClearErrors
  File "${SOURCE}\blendtray.exe"
  File "${SOURCE}\blendtrayw.exe"
  File "${SOURCE}\LICENSE.txt"
  File "${SOURCE}\README.txt"
  File "${SOURCE}\THIRD-PARTY.txt"
  File "${SOURCE}\MINGW-W64.txt"
  File "${SOURCE}\blendtray.cdx.json"
  WriteUninstaller "$INSTDIR\.new\uninstall.exe"
  ${If} ${Errors}
    Push "The files can't be written into $INSTDIR."
    Call Fail
  ${EndIf}

  StrCpy $Code ${FAILED}
  SetOutPath "$TEMP" ; a folder can't be removed while it is that of a process
  ${If} $Before == ""
    !insertmacro EndRunning '"$INSTDIR"'
  ${Else}
    !insertmacro EndRunning '"$INSTDIR" "$Before"'
  ${EndIf}
  ${If} $R0 == 0
    !insertmacro Setup 'replace "$INSTDIR"'
  ${EndIf}
  ${If} $R0 != 0
    Push "The program in $INSTDIR can't be replaced. End it with the Task Manager and try again."
    Call Fail
  ${EndIf}
  WriteRegStr SHCTX "Software\Blendtray" "Folder" "$INSTDIR"
  WriteRegStr SHCTX "${UNINSTALL}" "DisplayName" "Blendtray"
  WriteRegStr SHCTX "${UNINSTALL}" "DisplayVersion" "${VERSION}"
  WriteRegStr SHCTX "${UNINSTALL}" "DisplayIcon" "$INSTDIR\blendtrayw.exe"
  WriteRegStr SHCTX "${UNINSTALL}" "Publisher" "The Blendtray authors"
  WriteRegStr SHCTX "${UNINSTALL}" "InstallLocation" "$INSTDIR"
  WriteRegStr SHCTX "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr SHCTX "${UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD SHCTX "${UNINSTALL}" "NoModify" 1
  WriteRegDWORD SHCTX "${UNINSTALL}" "NoRepair" 1
  !insertmacro Setup 'hold "$INSTDIR"'
  SetOutPath "$INSTDIR" ; in which the shortcut starts the program
  CreateShortCut "$SMPROGRAMS\Blendtray.lnk" "$INSTDIR\blendtrayw.exe"

  ; The version before may have been in another folder.
  ${If} $Before != ""
  ${AndIf} $Before != $INSTDIR
    !insertmacro Setup 'path remove "$Before" $Scope'
    !insertmacro Setup 'move "$Before" "$INSTDIR"'
    Delete "$Before\blendtray.exe"
    Delete "$Before\blendtrayw.exe"
    Delete "$Before\LICENSE.txt"
    Delete "$Before\README.txt"
    Delete "$Before\THIRD-PARTY.txt"
    Delete "$Before\MINGW-W64.txt"
    Delete "$Before\blendtray.cdx.json"
    Delete "$Before\uninstall.exe"
    RMDir /r "$Before\.old"
    RMDir /r "$Before\.new"
    RMDir "$Before"
    ReadRegStr $R0 SHCTX "${LOGIN}" "Blendtray"
    ${If} $R0 != ""
      WriteRegStr SHCTX "${LOGIN}" "Blendtray" '"$INSTDIR\blendtrayw.exe"'
    ${EndIf}
  ${EndIf}
SectionEnd

Section "Commands in every console (PATH)" SectionPath
  !insertmacro Setup 'path add "$INSTDIR" $Scope'
  SendMessage ${HWND_BROADCAST} ${WM_WININICHANGE} 0 "STR:Environment" /TIMEOUT=2000
SectionEnd

Section /o "Start at login" SectionLogin
  WriteRegStr SHCTX "${LOGIN}" "Blendtray" '"$INSTDIR\blendtrayw.exe"'
SectionEnd

; What ran runs again, as the new version, with the arguments that it had. An engine that was in a console
; has none any more.
Section
  !insertmacro StartAgain "$INSTDIR"
SectionEnd

; The choices of the page, for an installation without it, and those of the version before.
Function Choose
  !insertmacro Switch "/NOPATH" $R2
  ${If} $R2 != ""
    SectionSetFlags ${SectionPath} 0
  ${ElseIf} $Before != ""
    !insertmacro Setup 'path has "$Before" $Scope'
    ${If} $R0 != 0
      SectionSetFlags ${SectionPath} 0
    ${EndIf}
  ${EndIf}
  !insertmacro Switch "/AUTOSTART" $R2
  ReadRegStr $R3 SHCTX "${LOGIN}" "Blendtray"
  ${If} $R2 != ""
  ${OrIf} $R3 != ""
    SectionSetFlags ${SectionLogin} 1
  ${EndIf}
FunctionEnd

Function StartTray
  ${If} $Ran == ""
    Exec '"$INSTDIR\blendtrayw.exe"'
  ${EndIf}
FunctionEnd

Function un.onInit
  SetRegView 64
  InitPluginsDir
  ReadRegStr $R3 HKLM "Software\Blendtray" "Folder"
  ${If} $R3 == $INSTDIR
    !insertmacro NeedAdministrator "$INSTDIR\uninstall.exe" ""
    !insertmacro ForMachine
  ${EndIf}
FunctionEnd

Section "Uninstall"
  File "/oname=$PLUGINSDIR\setup.exe" "${SETUP}"
  !insertmacro EndRunning '"$INSTDIR"'
  ${If} $R0 != 0
    !insertmacro StartAgain "$INSTDIR"
    MessageBox MB_OK|MB_ICONSTOP "A program in $INSTDIR does not end. End it with the Task Manager and try again." /SD IDOK
    SetErrorLevel ${FAILED}
    Abort
  ${EndIf}
  !insertmacro Setup 'leave "$INSTDIR"'
  !insertmacro Setup 'path remove "$INSTDIR" $Scope'
  SendMessage ${HWND_BROADCAST} ${WM_WININICHANGE} 0 "STR:Environment" /TIMEOUT=2000
  Delete "$INSTDIR\blendtray.exe"
  Delete "$INSTDIR\blendtrayw.exe"
  Delete "$INSTDIR\LICENSE.txt"
  Delete "$INSTDIR\README.txt"
  Delete "$INSTDIR\THIRD-PARTY.txt"
  Delete "$INSTDIR\MINGW-W64.txt"
  Delete "$INSTDIR\blendtray.cdx.json"
  Delete "$INSTDIR\uninstall.exe"
  RMDir /r "$INSTDIR\.old"
  RMDir /r "$INSTDIR\.new"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\Blendtray.lnk"
  DeleteRegKey SHCTX "${UNINSTALL}"
  DeleteRegKey SHCTX "Software\Blendtray"
  DeleteRegValue SHCTX "${LOGIN}" "Blendtray"
  ; Settings and runs are the user's: they go only when that is said.
  !insertmacro Switch "/FORGET" $R2
  ${If} $R2 == ""
    MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 "Also remove your settings, the runs and their output? Your scripts and pictures stay." /SD IDNO IDNO kept
  ${EndIf}
  !insertmacro Setup 'forget'
  kept:
SectionEnd

LangString AboutProgram ${LANG_ENGLISH} "The tray, the window and the commands."
LangString AboutPath ${LANG_ENGLISH} "Makes blendtray a command in every console that is opened from now on."
LangString AboutLogin ${LANG_ENGLISH} "Start the tray when you log in. It can be changed in the tray."
!insertmacro MUI_FUNCTION_DESCRIPTION_BEGIN
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionProgram} $(AboutProgram)
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionPath} $(AboutPath)
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionLogin} $(AboutLogin)
!insertmacro MUI_FUNCTION_DESCRIPTION_END
